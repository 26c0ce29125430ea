"""Sentences in other languages, by topic: (language, grammar)."""

from __future__ import annotations

ABROAD: dict[str, tuple[tuple[str, str], ...]] = {
    "checkout_stuck": (
        (
            "de",
            "{Bestellung|Die Bestellung} lässt sich nicht abschließen, {es kommt immer ein Fehler|der Knopf reagiert nicht}",
        ),
        ("es", "no puedo {terminar|finalizar} el pedido, {se queda cargando|me devuelve al carrito}"),
        ("fr", "impossible de {valider|passer} ma commande, {le bouton ne marche pas|erreur à la fin}"),
        ("it", "non riesco a {completare|concludere} l'ordine, {errore|il carrello si svuota}"),
        ("pt", "não consigo {finalizar|fechar} o pedido, {dá erro no final|o carrinho fica vazio}"),
        ("nl", "bestelling {afronden lukt niet|plaatsen gaat niet}, {steeds een foutmelding|knop doet niks}"),
    ),
    "pay_declined": (
        (
            "de",
            "{Zahlung|Meine Karte} wird {ständig|immer wieder} abgelehnt, {Geld ist drauf|die Bank sagt alles in Ordnung}",
        ),
        ("es", "{me rechaza la tarjeta|el pago no pasa}, {tengo saldo|probé con dos tarjetas}"),
        ("fr", "paiement {refusé|impossible} {à chaque fois|avec toutes mes cartes}"),
        ("it", "pagamento {rifiutato|non riuscito}, {la carta funziona ovunque|tre tentativi}"),
        ("pt", "{pagamento recusado|não consigo pagar}, {o cartão tem saldo|tentei três vezes}"),
        ("nl", "betalen {lukt niet|mislukt steeds}, {kaart geweigerd|bank zegt dat alles goed is}"),
    ),
    "pay_double": (
        ("de", "{doppelt abgebucht|zweimal abgebucht} für eine Bestellung"),
        ("es", "me {cobraron|han cobrado} dos veces {el mismo pedido|lo mismo}"),
        ("fr", "{débité|prélevé} deux fois pour {une commande|la même commande}"),
        ("pt", "fui cobrado {duas vezes|em dobro} {no mesmo pedido|pela mesma compra}"),
    ),
    "billing_wrong": (
        ("de", "Rechnung {ist falsch|viel zu hoch}, {Abo war gekündigt|diese Gebühr kenne ich nicht}"),
        ("es", "la factura {está mal|viene con un cargo que no conozco}, {cancelé la suscripción|ya me di de baja}"),
        ("fr", "facture {erronée|fausse}, {abonnement résilié depuis un mois|des frais inconnus}"),
        ("nl", "factuur klopt niet, {abonnement was opgezegd|dubbel bedrag}"),
    ),
    "login_no_code": (
        ("de", "{der Code|die SMS} kommt nicht an, {kann mich nicht anmelden|keine Anmeldung möglich}"),
        ("es", "no me llega el {código|sms}, {no puedo entrar|imposible iniciar sesión}"),
        ("fr", "je ne reçois pas le code, {impossible de me connecter|compte bloqué}"),
        ("pt", "o código {não chega|nunca chega}, {não consigo entrar|conta bloqueada}"),
        ("it", "il codice non arriva, {non riesco ad accedere|sono fuori dall'account}"),
    ),
    "login_loop": (
        ("de", "{Anmeldung|Login} {geht nicht|funktioniert nicht mehr}, {Passwort stimmt|ständig abgemeldet}"),
        ("es", "no puedo {iniciar sesión|entrar en mi cuenta} {desde ayer|hoy}"),
        ("fr", "connexion impossible {depuis hier|à mon compte}, {mot de passe correct|déconnecté sans cesse}"),
        ("pt", "não consigo {entrar|fazer login} na minha conta {desde ontem|hoje}"),
        ("nl", "inloggen {lukt niet|werkt niet meer} {sinds gisteren|vandaag}"),
    ),
    "crash_start": (
        ("de", "App {stürzt sofort ab|startet nicht mehr} {seit dem Update|seit gestern}"),
        ("es", "la app se {cierra sola|cierra al abrir} {desde ayer|siempre}"),
        ("fr", "l'appli {plante|se ferme} {au démarrage|dès l'ouverture}"),
        ("it", "l'app si {chiude da sola|blocca e si chiude} {all'avvio|appena la apro}"),
        ("pt", "o app {fecha sozinho|não abre} {desde a atualização|toda hora}"),
        ("nl", "app {crasht|sluit meteen af} {bij het openen|sinds de update}"),
    ),
    "crash_midway": (
        ("de", "stürzt ab, {wenn ich ein Foto öffne|mitten in der Navigation}"),
        ("es", "se cierra {al abrir la cámara|a mitad de la partida}"),
        ("fr", "plante {quand j'ouvre une photo|au milieu de la partie}"),
    ),
    "slow_all": (
        ("de", "{extrem|furchtbar} langsam {geworden|seit Tagen}, {lädt ewig|jede Seite dauert eine Minute}"),
        ("es", "va {muy lento|lentísimo} {desde ayer|últimamente}, {no carga|tarda un siglo}"),
        ("fr", "{très|tellement} lent {depuis hier|ces jours-ci}, {ça charge sans fin|page blanche}"),
        ("pt", "{muito lento|travando} {desde ontem|ultimamente}, {demora para carregar|fica carregando}"),
        ("it", "lentissimo {da ieri|ultimamente}, {non carica|si blocca}"),
    ),
    "search_empty": (
        ("de", "Suche findet {nichts mehr|nicht einmal Milch}, {keine Treffer|nur Unsinn}"),
        ("es", "el buscador no encuentra {nada|ni lo más básico}"),
        ("fr", "la recherche {ne trouve rien|ne donne aucun résultat}"),
        ("pt", "a busca não {encontra nada|mostra resultado}"),
    ),
    "notify_dead": (
        ("de", "keine Benachrichtigungen mehr {seit dem Update|seit Tagen}"),
        ("es", "no me llegan {las notificaciones|los avisos}"),
        ("fr", "plus de notifications {depuis la mise à jour|}"),
    ),
    "delivery_late": (
        ("de", "Paket {kommt nicht|ist verschollen}, {seit einer Woche überfällig|Sendung steht still}"),
        ("es", "mi paquete {no llega|está perdido}, {una semana de retraso|nadie sabe nada}"),
        ("fr", "colis {jamais livré|en retard}, {aucune nouvelle|le suivi ne bouge pas}"),
        ("it", "il pacco {non arriva|è in ritardo di una settimana}"),
        ("nl", "pakket {niet bezorgd|al een week te laat}"),
    ),
    "refund_missing": (
        (
            "de",
            "{Rückerstattung|Geld zurück} {fehlt immer noch|nie angekommen}, {Rücksendung vor drei Wochen|Retoure ist angekommen}",
        ),
        ("es", "no me {devuelven el dinero|llega el reembolso}"),
        ("fr", "toujours pas remboursé {depuis trois semaines|de mon retour}"),
    ),
    "happy": (
        ("de", "{super App|sehr zufrieden|klasse}, {gerne wieder|weiter so}"),
        ("es", "{muy buena|excelente|me encanta}, {la uso a diario|recomendada}"),
        ("fr", "{très bien|parfait|super}, {je recommande|rien à dire}"),
        ("it", "{ottima|bellissima} app, {la uso sempre|complimenti}"),
        ("pt", "{muito bom|excelente|ótimo}, {recomendo|uso todo dia}"),
        ("nl", "{prima|fijne app}, {aanrader|tevreden}"),
    ),
    "support_silent": (
        ("de", "Kundendienst {antwortet nicht|nicht erreichbar}, {eine Stunde Warteschleife|vier Mails}"),
        ("es", "atención al cliente {no responde|pésima}"),
        ("fr", "service client {injoignable|aux abonnés absents}"),
    ),
    "price_too_high": (
        ("de", "{viel zu|einfach zu} teuer {geworden|für das Gebotene}"),
        ("es", "{demasiado|muy} caro {para lo que es|ahora}"),
        ("fr", "{beaucoup trop|trop} cher {maintenant|pour ce que c'est}"),
    ),
    "chatter": (
        ("de", "{mal sehen|gestern installiert}, {noch keine Meinung|erster Eindruck}"),
        ("es", "¿{hacen envíos a Canarias|cuándo abren}?"),
        ("fr", "{bonjour|salut}, {livrez-vous en Suisse|une question}?"),
    ),
}
