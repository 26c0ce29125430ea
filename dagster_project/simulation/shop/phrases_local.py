"""German, French and Spanish sentences of the simulated customers, with fewer variants than English.

Spanish covers the common types only; rarer complaints of Spanish speakers are in English.
"""

from __future__ import annotations

from dagster_project.simulation.shop.phrases import Phrases

GERMAN: dict[str, Phrases] = {
    "checkout_failure": Phrases(
        (
            "{Bestellung|Die Bestellung|Der Bestellvorgang} {lässt sich nicht abschließen|bricht immer ab|funktioniert nicht}"
            " <since>",
            "{Kann nicht bestellen|Ich kann nichts bestellen|Bestellen unmöglich}, {der Button reagiert nicht|an der Kasse"
            " kommt nur ein Fehler|der Warenkorb ist plötzlich leer} <since>",
            "{An der Kasse|Im Checkout|Beim Bezahlen an der Kasse} {kommt|steht} nur '{etwas ist schiefgelaufen|Bestellung"
            " fehlgeschlagen}' <since>",
            "Gutscheincode <coupon> {wird nicht angenommen|funktioniert an der Kasse nicht}",
        ),
        (
            "{Schon fünfmal versucht|Mehrmals probiert}, {immer das Gleiche|keine Chance}",
            "{Vorher|Letzte Woche} ging es noch",
        ),
        ("Bestellung {geht nicht|nicht möglich}", "Kasse {kaputt|funktioniert nicht}"),
    ),
    "payment_failure": Phrases(
        (
            "{Meine Karte|Kreditkarte} wird {abgelehnt|nicht akzeptiert}, {obwohl sie gedeckt ist|überall sonst geht sie}"
            " <since>",
            "{Betrag|Geld} wurde {doppelt|zweimal} abgebucht",
            "Zahlung {fehlgeschlagen|hängt}, {aber das Geld ist weg|Überweisung nicht angekommen} <since>",
        ),
        ("{Bitte prüfen|Ich möchte mein Geld zurück}",),
        ("Zahlung {fehlgeschlagen|abgelehnt}", "Doppelt abgebucht"),
    ),
    "login_account": Phrases(
        (
            "{Kann mich nicht|Ich kann mich nicht mehr} {anmelden|einloggen}",
            "{Passwort zurücksetzen|Der Bestätigungscode} {klappt nicht|kommt nicht an}",
            "Mein Konto ist {gesperrt|weg}",
        ),
        ("{Passwort ist richtig|Code fünfmal angefordert}",),
        ("{Login|Anmeldung} geht nicht",),
    ),
    "app_crash": Phrases(
        (
            "{App|Die App} {stürzt ab|stürzt beim Start ab|stürzt ständig ab|schließt sich sofort} <since>",
            "{App|Die App} {startet nicht mehr|lässt sich nicht öffnen} <since>",
        ),
        ("{Neu installiert|Handy neu gestartet}, {hilft nicht|stürzt weiter ab}", "Vorher lief sie stabil"),
        ("{Absturz|Stürzt ab}", "Startet nicht"),
    ),
    "performance": Phrases(
        (
            "{App|Die App|Die Seite} ist {extrem langsam|total träge}",
            "{Alles|Die Seite} {lädt ewig|hängt|ruckelt beim Scrollen}",
            "Akku {ist nach einer Stunde leer|wird leergesaugt} von der App",
        ),
        ("WLAN ist schnell",),
        ("{Langsam|Ruckelt}",),
    ),
    "search_discovery": Phrases(
        (
            "{Suche|Die Suche} {findet nichts|zeigt nur Unsinn}",
            "{Filter|Die Filter} {funktionieren nicht|bringen nichts}",
        ),
        (),
        ("Suche {unbrauchbar|schlecht}",),
    ),
    "feature_bug": Phrases(
        (
            "{Benachrichtigungen|Push} {kommen nicht|kommen doppelt}",
            "{Merkliste|Wunschliste} {synchronisiert nicht|ist leer|speichert nicht}",
            "{Barcode-Scanner|Größenberater|Dunkelmodus} {geht nicht|funktioniert nicht}",
        ),
        ("Früher ging das",),
        ("Funktion geht nicht",),
    ),
    "ui_usability": Phrases(
        (
            "{Neues Design|Das Menü} ist {unübersichtlich|verwirrend|hässlich}",
            "{Schrift|Die Schrift} viel zu klein",
            "{Umständlich|Schwer} zu bedienen",
        ),
        ("Das alte Layout war besser",),
        ("Unübersichtlich",),
    ),
    "inventory_availability": Phrases(
        ("{Alles|Meine Größe} {ausverkauft|nicht lieferbar}", "{Wann|Ab wann} ist der Artikel wieder {da|verfügbar}?"),
        (),
        ("Ausverkauft",),
    ),
    "shipping_delivery": Phrases(
        (
            "{Paket|Mein Paket|Die Bestellung|Meine Lieferung} {ist nicht angekommen|kommt nicht an|ist seit <days> Tagen"
            " überfällig}",
            "{Warte|Ich warte} seit <days> Tagen auf {mein Paket|die Lieferung|meine Bestellung}",
            "{Sendungsverfolgung|Tracking} {steht seit <days> Tagen|bewegt sich nicht}",
            "{Lieferung|Zustellung} {war für {Montag|Dienstag} zugesagt, nichts kam|schon wieder verschoben|verspätet}",
            "{Lieferung|Versand} {dauert ewig|viel zu langsam|zu spät}",
        ),
        (
            "{Keiner weiß|Niemand sagt mir}, wo {es|das Paket} ist",
            "{War ein Geschenk|Brauche es dringend}",
            "Bestellnummer <order>",
        ),
        ("{Paket|Lieferung} {verspätet|kommt nicht|fehlt}", "Wo bleibt mein Paket?"),
    ),
    "product_defect": Phrases(
        (
            "{Ware|Artikel} {defekt|kaputt angekommen|nach einer Woche kaputt}",
            "{Falscher Artikel|Falsche Größe} {geliefert|bekommen}",
            "{Schlechte|Billige} Qualität, {Naht gerissen|Reißverschluss klemmt}",
        ),
        ("Hatte mehr erwartet",),
        ("{Defekt|Schlechte Qualität}",),
    ),
    "packaging": Phrases(
        ("{Karton|Verpackung} {war zerdrückt|aufgerissen|nass}", "Viel zu viel {Plastik|Verpackung}"),
        (),
        ("{Verpackung|Karton} beschädigt",),
    ),
    "pricing_expectation": Phrases(
        (
            "{Viel zu teuer|Preise völlig überzogen}, {woanders die Hälfte|schon wieder erhöht}",
            "{Überall|Nur noch} Werbung",
        ),
        (),
        ("Zu teuer",),
    ),
    "billing_subscription": Phrases(
        (
            "{Abo|Mitgliedschaft} {gekündigt und trotzdem abgebucht|lässt sich nicht kündigen}",
            "{Rechnung|Die Rechnung} {ist falsch|fehlt}, bitte {korrigieren|zusenden}",
        ),
        ("Bestellung <order>",),
        ("{Abo kündigen|Rechnung falsch}",),
    ),
    "returns_refunds": Phrases(
        (
            "{Retoure|Rücksendung} {vor drei Wochen|längst} zurückgeschickt, {keine Erstattung|Geld noch nicht da}",
            "{Rücksendeetikett fehlt|Wo bleibt meine Erstattung?}",
        ),
        ("Bestellung <order>",),
        ("Erstattung {fehlt|dauert}",),
    ),
    "customer_service": Phrases(
        (
            "{Kundenservice|Support} {antwortet nicht|ist unfreundlich|nicht erreichbar}",
            "{Eine Stunde|Ewig} in der Hotline gewartet",
        ),
        (),
        ("Kein Support",),
    ),
    "security_privacy": Phrases(
        (
            "{Mein Konto wurde gehackt|Jemand hat mit meinem Konto bestellt}",
            "Bitte {meine Daten|mein Konto} löschen, DSGVO",
        ),
        (),
        ("{Datenschutz|Konto gehackt}",),
    ),
    "feature_request": Phrases(
        ("{Bitte|Wäre schön:} {Dunkelmodus|Packstation|Preisalarm|Geschenkverpackung} {einbauen|anbieten}",),
        ("Dann fünf Sterne",),
        ("{Wunsch|Vorschlag}",),
    ),
    "praise": Phrases(
        (
            "{Super|Tolle|Klasse} App[, {gerne wieder|sehr zufrieden}]",
            "{Schnelle Lieferung|Alles bestens}, {gute Qualität|gerne wieder|top}",
            "{Sehr zufrieden|Bin begeistert}[, {danke|weiter so}]",
        ),
        ("{Kann ich empfehlen|Danke}",),
        ("{Super|Top|Klasse}",),
    ),
    "other": Phrases(
        (
            "{Kurze Frage|Hallo}, {habt ihr auch Läden?|verkauft ihr an Firmen?}",
            "{Geht so|Ganz ok|Naja}",
            "Gefällt mir nicht mehr",
        ),
        (),
        ("{Frage|Naja}",),
    ),
}

FRENCH: dict[str, Phrases] = {
    "checkout_failure": Phrases(
        (
            "{Impossible de|Je n'arrive pas à} {valider ma commande|passer commande|finaliser le panier} <since>",
            "{Le bouton commander|Le bouton de validation} {ne fait rien|ne répond plus} <since>",
            "{Le panier se vide|Erreur} {au moment de commander|à la validation du panier} <since>",
        ),
        ("{Essayé cinq fois|Plusieurs essais}, {toujours pareil|même erreur}",),
        ("Commande impossible", "Panier bloqué"),
    ),
    "payment_failure": Phrases(
        (
            "{Ma carte|La carte} est refusée {alors qu'elle marche partout|sans raison} <since>",
            "{Débité|Prélevé} deux fois {pour la même commande|}",
            "Paiement {refusé|échoué} mais {l'argent est parti|je suis débité} <since>",
        ),
        ("Merci de vérifier",),
        ("Paiement {refusé|échoué}",),
    ),
    "login_account": Phrases(
        (
            "{Impossible de me connecter|Connexion impossible}",
            "Le {code|mot de passe} {n'arrive jamais|n'est pas reconnu}",
        ),
        (),
        ("Connexion impossible",),
    ),
    "app_crash": Phrases(
        (
            "{L'application|L'appli} {plante|se ferme toute seule|plante au démarrage|ne s'ouvre plus} <since>",
            "{Plantages|Crash} {en permanence|à chaque ouverture} <since>",
        ),
        ("{Réinstallée|Téléphone redémarré}, {rien à faire|toujours pareil}",),
        ("{Plante|Ne s'ouvre plus}",),
    ),
    "performance": Phrases(
        (
            "{L'appli|Le site} est {très lent|trop lent|interminable à charger}",
            "{Ça rame|Ça bloque} {tout le temps|au défilement}",
        ),
        (),
        ("{Lent|Ça rame}",),
    ),
    "search_discovery": Phrases(
        ("{La recherche|Le moteur de recherche} {ne trouve rien|est inutile}",), (), ("Recherche inutile",)
    ),
    "feature_bug": Phrases(
        ("Les notifications {n'arrivent pas|arrivent en double}", "La liste d'envies {ne se synchronise pas|est vide}"),
        (),
        ("Ne fonctionne pas",),
    ),
    "ui_usability": Phrases(
        ("{Le nouveau design|Le menu} est {confus|illisible|moche}", "Difficile à utiliser"), (), ("Confus",)
    ),
    "inventory_availability": Phrases(
        ("{Tout est|Toujours} en rupture de stock", "Quand sera-t-il de nouveau disponible ?"), (), ("Rupture",)
    ),
    "shipping_delivery": Phrases(
        (
            "{Colis|Commande|Mon colis} {toujours pas arrivé|jamais livré|en retard de <days> jours}",
            "{J'attends|Toujours en attente de} {mon colis|ma livraison} depuis <days> jours",
            "Le suivi {ne bouge plus|est bloqué} depuis <days> jours",
        ),
        ("Commande <order>", "Personne ne sait où il est"),
        ("{Colis|Livraison} en retard", "Où est mon colis ?"),
    ),
    "product_defect": Phrases(
        ("{Article|Produit} {cassé|défectueux|de mauvaise qualité}", "{Mauvaise taille|Mauvais article} reçu"),
        (),
        ("Défectueux",),
    ),
    "packaging": Phrases(("{Carton|Emballage} {écrasé|déchiré|abîmé}", "Trop de plastique"), (), ("Emballage abîmé",)),
    "pricing_expectation": Phrases(
        ("{Beaucoup trop|Trop} cher, {moitié prix ailleurs|les prix montent}", "Trop de publicité"), (), ("Trop cher",)
    ),
    "billing_subscription": Phrases(
        ("{Abonnement|Adhésion} {résilié et toujours prélevé|impossible à résilier}", "Facture erronée"),
        (),
        ("Abonnement",),
    ),
    "returns_refunds": Phrases(
        (
            "{Retour|Article} renvoyé il y a trois semaines, {pas de remboursement|toujours pas remboursé}",
            "Où est mon remboursement ?",
        ),
        (),
        ("Remboursement",),
    ),
    "customer_service": Phrases(
        ("{Service client|Le support} {ne répond pas|injoignable|désagréable}",), (), ("Aucune réponse",)
    ),
    "security_privacy": Phrases(
        ("{Mon compte a été piraté|Fraude sur mon compte}", "Supprimez mes données, RGPD"), (), ("Piratage",)
    ),
    "feature_request": Phrases(
        ("{Ajoutez|Il manque} {un mode sombre|le point relais|une alerte prix}",), (), ("Suggestion",)
    ),
    "praise": Phrases(
        (
            "{Super|Excellente|Très bonne} {appli|application|boutique}[, {je recommande|merci}]",
            "{Livraison rapide|Tout était parfait}, {bonne qualité|très content|merci}",
        ),
        ("Je recommande",),
        ("{Super|Parfait|Top}",),
    ),
    "other": Phrases(
        ("Une question, {vous avez un magasin|livrez-vous aux entreprises} ?", "{Bof|Moyen|Ça va}"),
        (),
        ("{Question|Bof}",),
    ),
}

SPANISH: dict[str, Phrases] = {
    "checkout_failure": Phrases(
        (
            "{No puedo|Imposible} {finalizar la compra|hacer el pedido|completar el pedido} <since>",
            "El botón de {comprar|pedir} {no hace nada|da error} <since>",
        ),
        ("{Lo intenté cinco veces|Siempre el mismo error}",),
        ("No puedo comprar",),
    ),
    "payment_failure": Phrases(
        ("{Mi tarjeta|La tarjeta} fue rechazada <since>", "Me cobraron dos veces"), (), ("Pago rechazado",)
    ),
    "login_account": Phrases(("No puedo {iniciar sesión|entrar en mi cuenta}",), (), ("No puedo entrar",)),
    "app_crash": Phrases(("La aplicación {se cierra sola|no abre|falla al abrir} <since>",), (), ("Se cierra sola",)),
    "performance": Phrases(("{Muy lenta|Va lentísima}, {tarda mucho en cargar|se congela}",), (), ("Lenta",)),
    "shipping_delivery": Phrases(
        (
            "Mi {pedido|paquete} {no ha llegado|lleva <days> días de retraso}",
            "El seguimiento no se mueve desde hace <days> días",
        ),
        (),
        ("Pedido retrasado",),
    ),
    "returns_refunds": Phrases(
        ("Devolví el producto y {no llega el reembolso|nadie me devuelve el dinero}",), (), ("Reembolso",)
    ),
    "praise": Phrases(
        ("{Muy buena|Excelente} {aplicación|tienda}[, {gracias|recomendada}]", "Todo {perfecto|muy rápido}"),
        (),
        ("Excelente",),
    ),
    "other": Phrases(("Una pregunta, ¿{tienen tienda|envían a empresas}?", "Regular"), (), ("Pregunta",)),
}
