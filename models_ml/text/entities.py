"""Named entities of a text: platform, versions, device, browser, article, feature, order, error code and amount.

Patterns only, so the same text gives the same answer everywhere and each answer can be traced to its words. The order
matters: what one reader has taken, the next cannot read again, so the 17.2 of "iOS 17.2" is no app version and the
1042 of "error E-1042" no order. Numbers need a word that says what they are; a bare number is taken for an app version
only if it has three parts and is no date, sum or address.

Values are normalised: names in lower case ('iphone 12 pro', 'ios 17.2'), article, order and error codes in capitals,
amounts as ISO 4217 code and number ('EUR 12.99'). A sign that several currencies share counts as the best known one.
Some stores hand out text with blanks around its dots and 'ios' cut to 'io': "io 10 . 2 . 1" is understood.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable

MAX_CHARACTERS = 10_000
"""Characters of a text that are read."""

MAX_VALUES = 10
"""Values of each kind that are kept."""

FEATURES = {
    "account": r"(?:my|your|the|an) (?:account|profile)|mein konto|mi cuenta|mon compte|minha conta",
    "autoplay": r"auto ?-?play",
    "background play": r"background (?:play\w*|audio|mode)|play\w* in (?:the )?background|screen (?:is )?off",
    "camera": r"camera|kamera|cámara|câmera|(?:bar|qr)[ -]?code scan\w*",
    "cart": r"(?:shopping )?(?:cart|basket|trolley)|warenkorb|carrito|panier|carrinho",
    "casting": r"chromecast|air ?play|cast(?:ing)? to (?:my |the )?tv",
    "chat": r"(?:live )?chat|chatbot",
    "checkout": r"check-?out|(?:can['’]?t|cannot|at|to|the) check out|check out (?:page|screen|button|form)|kasse"
    r"|finali[sz]ar (?:la compra|o pedido)|passer commande",
    "comments": r"comments|comment (?:section|box|tab|button)|replies",
    "dark mode": r"(?:dark|night) (?:mode|theme)|dunkelmodus|modo (?:oscuro|escuro|noturno)|mode sombre",
    "downloads": r"offline[ -](?:mode|modus|view\w*|play\w*|videos?)|downloads",
    "export": r"(?:csv|pdf|excel|data)[ -]export|export(?:s|ing)?",
    "favourites": r"favou?rites|wish ?-?list|watch later|merkliste|lista de deseos",
    "filters": r"(?:search|price|size|your|the) filters?|filter(?:ing)? by",
    "full screen": r"full ?-?screen",
    "history": r"(?:watch|search|order|viewing|play) history",
    "home page": r"home ?-?(?:page|screen|feed)|start page|startseite",
    "login": r"log(?:ging|ged)? ?-?in|sign(?:ing|ed)? ?-?in|anmeld(?:en|ung)|einloggen|iniciar sesión|inicio de sesión"
    r"|me connecter|fazer login|passwords?|passwort|contraseña|mot de passe|senha",
    "maps": r"maps?|gps",
    "notifications": r"(?:push[ -])?notifications?|benachrichtigung(?:en)?|notificaci(?:ón|ones)|notificaç(?:ão|ões)",
    "payment": r"payments?|pay(?:ing)? (?:with|by)|apple pay|google pay|paypal|zahlung|bezahl(?:en|ung)|(?:el|un) pago"
    r"|paiement|pagamento",
    "picture in picture": r"picture[ -]in[ -]picture|pip mode",
    "playback": r"play ?back|video player|wiedergabe|reproducción|lecture (?:vidéo|des vidéos)",
    "playlists": r"play ?-?lists?",
    "recommendations": r"recommendations?|recommended|suggestions?|suggested videos?|empfehlungen",
    "registration": r"sign(?:ing)? ?-?up|regist(?:er|ration)|create an? account|registrier(?:en|ung)|registrarme",
    "search": r"search(?:es|ing)?|suchfunktion|suche|buscador|búsqueda|recherche|busca",
    "sharing": r"share (?:button|link|feature)|sharing",
    "sound": r"sound|audio|volume|kein ton|sonido|áudio",
    "subscriptions": r"subscriptions?|abo(?:nnement)?s?|suscripción|assinatura",
    "subtitles": r"sub-?titles?|captions?|untertitel|subtítulos|sous-titres|legendas",
    "sync": r"sync\w*",
    "two-factor": r"two[ -]factor|2fa|verification codes?",
    "upload": r"upload\w*",
    "widget": r"widgets?",
}
"""The features that can be named, each with the words for it (regular expressions, whole words, any case)."""

_PLATFORMS = {
    "ios": r"iphones?(?:[0-9]\w*)?|ipads?(?:[0-9]\w*)?|ipods?|ios ?[0-9]*|ipados ?[0-9]*|io v?[0-9]+",
    "android": r"android ?[0-9]*|galaxy [a-z]-series",
    "web": r"web ?-?sites?|web ?-?(?:page|version|app|shop|player)|webseite|(?:sitio|site) web|(?:web ?)?browser"
    r"|on the web|desktop (?:site|version)",
    "windows": r"windows[ -](?:7|8|8\.1|10|11|xp|vista|pc|laptop|desktop|app|version|machines?|rechner)"
    r"|(?-i:(?:on|for|auf|unter|en|sous|no) Windows)(?! phone)|microsoft windows",
    "mac": r"macbook|mac ?os|imac|mac (?:app|version|mini|pro|studio)|(?-i:(?:on|for|my|a|auf|dem|en) Mac)|os x",
}
_PLATFORM_OF = {"pixel": "android", "galaxy": "android", "oneplus": "android", "redmi": "android", "huawei": "android"}

_DOTTED = r"[0-9]{1,4}(?:(?:\.| \. )[0-9]{1,5}){1,3}"
# "iphone 5 times", "version 3 weeks ago", "order 4000 pieces": the number counts something else.
_UNCOUNTED = (
    r"(?![0-9])(?![.,][0-9])(?! ?[%€$£])"
    r"(?! ?(?:times?|x|days?|weeks?|months?|years?|hours?|hrs?|min(?:ute)?s?|sec(?:ond)?s?|stars?|pieces?|boxes|units?"
    r"|items?|people|of|different|other|more|copies|tagen?|wochen?|mal|stück|d[ií]as?|veces|semanas?|jours?|fois|semaines?"
    r"|vezes|gb|mb|inch|cm|mm|km|kg|eur|euros?|usd|dollars?|percent|prozent)\b)"
)
_SMALL_VERSION = r"(?P<version>[0-9]{1,2}(?:(?:\.| \. )[0-9]{1,2}){0,2})"
_SYSTEMS = {
    "ios": rf"(?:ios|ipados|io(?= v?[0-9]))(?:[ -]version| v\.?)? ?{_SMALL_VERSION}{_UNCOUNTED}",
    "android": rf"android(?:[ -]version| os| v\.?)? ?{_SMALL_VERSION}{_UNCOUNTED}",
    "windows": rf"windows ?(?P<version>7|8\.1|8|10|11|xp|vista){_UNCOUNTED}",
    "macos": r"(?:mac ?os(?: x)?|os x) ?(?P<version>[0-9]{2}(?:\.[0-9]{1,2}){0,2}|catalina|big sur|monterey|ventura"
    r"|sonoma|sequoia|tahoe)",
}
_DEVICES = {
    "iphone": r"iphone ?(?P<model>(?:(?:1[0-9]|[3-9])(?:se|[sce])?|se|xs|xr|x|air)"
    r"(?: ?(?:plus|pro ?max|pro|max|mini))?)",
    "ipad": r"ipad ?(?P<model>(?:air|mini|pro)(?: (?:1[0-3](?:\.[0-9])?|[2-9](?:\.7)?))?|1[0-3]|[2-9])(?:th gen\w*)?",
    "ipod": r"ipod ?(?P<model>touch(?: [2-7])?|[2-7])",
    "macbook": r"macbook(?P<model>(?: air| pro)?(?: m[1-5])?)",
    "apple watch": r"apple watch(?P<model>(?: series [0-9]{1,2}| se| ultra(?: [2-3])?)?)",
    "apple tv": r"apple tv(?P<model>(?: 4k)?)",
    "pixel": r"(?<!-)pixel ?(?P<model>(?:1[0-9]|[2-9])a?(?: (?:pro xl|pro|xl|fold))?)",
    "galaxy": r"(?:samsung galaxy|galaxy|samsung) ?"
    r"(?P<model>(?:note ?[0-9]{1,2}|z (?:flip|fold) ?[0-9]?|tab ?[as]?[0-9]{1,2}|[sajmf][0-9]{1,3}(?:fe|e)?)"
    r"(?: ?(?:ultra|plus|\+|edge|fe|lite))?)",
    "oneplus": r"one ?plus ?(?P<model>[0-9]{1,2}t?(?: pro)?)",
    "redmi": r"redmi ?(?P<model>(?:note )?[0-9]{1,2}[ac]?(?: pro)?)",
    "huawei": r"huawei (?P<model>(?:p|mate|nova) ?[0-9]{1,3}(?: ?(?:pro|lite))?)",
    "surface": r"surface (?P<model>(?:pro|go|laptop)(?: [0-9]{1,2})?)",
    "chromebook": r"chromebook(?P<model>)",
    "chromecast": r"chromecast(?P<model>(?: ultra)?)",
}

# 'chrome' is a finish, 'safari' a journey, 'edge' a place: without a version they need company.
_BROWSER = re.compile(
    r"(?<!\w)(?:(?P<before>google|mobile|microsoft|ms|in|on|with|using|use|via|through|from|to|and|or|not|but|under) )?"
    r"(?:(?P<tagged>chrome|safari|firefox|edge) ?-?browser|(?P<plain>chrome|safari|firefox|edge)(?!\w)"
    r"(?! (?:of|finish|plat\w+|trip|park|tour))"
    rf"(?:[ /](?:version |v)?(?P<version>[0-9]{{1,3}}(?:\.[0-9]{{1,5}}){{0,3}}){_UNCOUNTED})?)",
    re.IGNORECASE,
)
_ONLINE = re.compile(
    r"\b(?:browsers?|firefox|web\w*|pages?|sites?|tabs?|load\w*|check ?out|log\w* ?in|sign ?in|iphone|ipad|ios|mac\w*"
    r"|android|windows|internet|cookies|videos?|app|play\w*|open\w*|shop|cart|seite|página)\b",
    re.IGNORECASE,
)

_CODE = r"(?P<code>0x[0-9a-f]{3,16}|[a-z]{1,4}-?[0-9]{1,6}(?:-[0-9]{1,4})?|-?[0-9]{1,6}(?:-[0-9]{1,4})?)(?!\w)"
_VOUCHERS = (
    "promo discount voucher coupon referral gift zip post area invite access door qr bar dress my your the verification"
)
_ERRORS = (
    r"(?<!\w)(?P<domain>NS[a-z]{1,40}Domain|[a-z]{1,40}ErrorDomain)[ :,]{0,2}(?:error |code ?)?[=: ]{0,2}"
    r"(?P<code>-?[0-9]{1,6})",
    r"(?<!\w)(?P<code>0x[0-9a-f]{3,16})(?!\w)",
    r"(?<!\w)(?-i:(?P<code>ERR_[A-Z_]{3,40}))(?!\w)",
    r"(?<!\w)(?:error|err|fehler|erreur|erro|errore|exception)[ -]?"
    r"(?:codes?|number|nummer|meldung|no\.?|message|código|numéro|nr\.?)?"
    rf"(?: (?:is|was|n[°º]|con código|com código))?[ :#=(\"']{{0,3}}{_CODE}{_UNCOUNTED}",
    r"(?<!\w)(?:http|status)(?: ?(?:status|error|code))?[ :=]{0,2}(?P<code>[1-5][0-9]{2})(?!\w)" + _UNCOUNTED,
    r"(?<![\w.,$€£#])(?P<code>[45][0-9]{2}|[a-z]{1,3}-[0-9]{2,5})[ -](?:errors?|fehler|erreur|erro)(?!\w)",
    r"(?<![\w.,$€£#])(?P<code>4[0-3][0-9]|50[0-4]) (?:unauthori[sz]ed|forbidden|not found|internal|bad gateway"
    r"|service unavail\w*|gateway time-?out|page)(?!\w)",
    r"(?<!\w)(?:refused|rejected|declined|fail\w*|stops?|closes) with (?:response|reason|code|status)"
    rf"[ :\"']{{1,2}}{_CODE}",
    "".join(rf"(?<!{word} )" for word in _VOUCHERS.split())
    + r"\bcode[ :#\"']{1,3}(?P<code>[a-z]{1,3}-[0-9]{1,6}|[0-9]{1,4}-[0-9]{1,4}|[a-z]{2}[0-9]{2,4})(?!\w)(?!-)",
)

_IDENTIFIER = r"(?=[a-z-]{0,12}[0-9])[a-z0-9][a-z0-9-]{2,23}(?!\w)"
_ORDER_NUMBER = r"number|numbers|no\.?|nr\.?|num\.?|ids?|code|ref(?:erence)?|nummer|número|numéro|n[°ºo]\.?"
_ORDERS = (
    r"(?<!\w)(?:orders?|bestellung(?:en)?|bestell-?|auftrag(?:s)?|pedidos?|commandes?|encomendas?|ordine|bookings?"
    rf"|reservations?|reservas?|buchung(?:s)?)[ -]?(?P<number>{_ORDER_NUMBER})?(?: (?:is|was|are|ist|es|est|é))?"
    rf"(?P<mark>[ :#(\"']{{0,3}})(?P<first>{_IDENTIFIER}){_UNCOUNTED}"
    r"(?P<rest>(?:(?:,| and| und| y| et| e| &) ?#?[0-9]{4,12}){0,9})",
    r"(?<!\w)(?P<first>(?-i:SO|PO|ORD|BO|WO)-[0-9]{4,10})(?!\w)(?P<number>)(?P<mark>)(?P<rest>)",
)
_SKU = r"(?P<sku>(?=[a-z./-]{0,12}[0-9])[a-z0-9]{1,16}(?:[-/.][a-z0-9]{1,12}){0,4})(?!\w)"
_SKUS = (
    rf"(?<!\w)sku(?:[ -]?(?:number|no\.?|nr\.?|code))?(?: is| was)?[ :#-]{{0,3}}{_SKU}",
    r"(?<!\w)(?:article|item|part|product|artikel|produkt|art\.?|artículo|référence|réf\.?|referencia|referência)[ -]?"
    rf"(?:number|no\.|nr\.?|num\.?|code|id|nummer|número|n[°º])(?: is| was| ist)?[ :#]{{1,3}}{_SKU}",
    r"(?<!\w)(?:part|model|modell|modelo|modèle|article)[ :#]{1,3}"
    rf"(?=[a-z]{{1,5}}-?[0-9]|[0-9]{{2,6}}-[0-9a-z]{{2}}){_SKU}",
)

_CURRENCIES = {
    "EUR": r"€|eur|euros?",
    "GBP": r"£|gbp|quid",
    "USD": r"us\$|\$|usd|us dollars?|dollars?|bucks|dólares",
    "CAD": r"ca?\$|cad",
    "AUD": r"au?\$|aud",
    "SGD": r"s\$|sgd",
    "NZD": r"nz\$|nzd",
    "BRL": r"r\$|brl|reais",
    "INR": r"₹|inr|rupees",
    "JPY": r"¥|jpy|yen",
    "CHF": r"chf|franken",
    "PLN": r"zł|pln",
    "SEK": r"sek",
    "NOK": r"nok",
    "DKK": r"dkk",
    "MXN": r"mxn",
}
_SUM = (
    r"(?P<sum>[0-9]{1,3}(?:[.,'’ ][0-9]{3})+(?:[.,][0-9]{2})?(?![0-9])|[0-9]{1,9}(?:[.,][0-9]{1,2})?(?![0-9]))"
    r"(?P<kilo>k(?!\w))?(?:,-)?"
)
_AMOUNTS = (
    rf"(?<![\w.,])(?P<sign>(?:us|ca?|au?|s|nz|r)?\$|[€£¥₹]|(?-i:{'|'.join(_CURRENCIES)})) ?{_SUM}(?![\w]|[.,][0-9])",
    rf"(?<![\w.,]){_SUM} ?(?P<sign>{'|'.join(_CURRENCIES.values())})(?!\w)",
)

_VERSION_END = r"(?![0-9%])(?!\.[0-9])(?! ?(?:a|per|pro|al|por|par) (?:month|year|week|monat|mes|mois|mês))"
_VERSIONS = (
    r"(?<!\w)(?:version|versión|versão|ver\.|fassung|build|v\.?)"
    rf"(?: (?:number|no\.?|nr\.?|nummer|is|be|ist|es|est|é))?[ :#]{{0,2}}v?(?P<version>{_DOTTED}){_VERSION_END}",
    rf"(?<!\w)(?:version|versión|versão)(?: is| be)?[ :]{{1,2}}v?(?P<version>[0-9]{{1,4}}){_UNCOUNTED}(?!\w)",
    rf"(?<!\w)build(?: number)?[ :#]{{1,2}}(?P<version>[0-9]{{3,7}}){_UNCOUNTED}(?!\w)",
)
_LOOSE_VERSIONS = (
    r"(?<!\w)(?:release|update|rollout|patch|aktualisierung|mise à jour|actualización|atualização)(?: to)?[ :#]{1,2}v?"
    rf"(?P<version>{_DOTTED}){_VERSION_END}",
    rf"(?<![\w.,$€£:/-])(?P<version>{_DOTTED})[ -](?:version|release|rollout|update|build|patch|upgrade)(?!\w)",
    r"(?<!\w)(?:updat\w{1,3}|upgrad\w{1,3}|downgrad\w{1,3}|roll\w{0,3} back|back) to v?"
    rf"(?P<version>{_DOTTED}){_VERSION_END}",
    r"(?<!section )(?<!chapter )(?<!article )(?<!clause )(?<!paragraph )(?<!figure )(?<!model )"
    r"(?<![\w.,:/$€£#§-])(?P<version>[0-9]{1,3}\.[0-9]{1,4}\.[0-9]{1,5}(?:\.[0-9]{1,5})?)(?![\w:/%]|[.,][0-9])",
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}-[0-9]{1,2}-[0-9]{2,4}")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+")

_ELSEWHERE = re.compile(r"https?://\S+|(?<!\w)www\.\S+|(?<![\w.+-])[\w.+-]+@[\w-]+\.\w+", re.IGNORECASE)


KINDS = tuple("platform os_version device browser app_version sku feature order_id error_code amount".split())
"""The kinds of value, in the order of the answer."""


def extract(text: str) -> dict[str, list[str]]:
    """The values found in a text, by kind of ``KINDS``; a kind that is not named has no key.

    Each has up to ``MAX_VALUES`` different values, in order of appearance. Takes time linear in the text, of which
    the first ``MAX_CHARACTERS`` are read, and never raises.
    """
    reader = _Reader(text)
    reader.take("", _ELSEWHERE, lambda match: match.group())
    for kind, name, pattern in _NAMES:
        for match in pattern.finditer(reader.text):
            reader.note(kind, match.start(), name)
    for system, pattern in _SYSTEM_PATTERNS:
        reader.take("os_version", pattern, functools.partial(_system, system))
    reader.take("browser", _BROWSER, functools.partial(_browser, bool(_ONLINE.search(reader.text))))
    for family, pattern in _DEVICE_PATTERNS:
        reader.take("device", pattern, functools.partial(_device, family))
    reader.note_platforms_of_devices()
    for kind, patterns, value in _READERS:
        for pattern in patterns:
            reader.take(kind, pattern, value)
    return reader.values()


class _Reader:
    """One text being read; ``take`` notes what a pattern finds and blanks it for the patterns after."""

    def __init__(self, text: str) -> None:
        normal = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS])[:MAX_CHARACTERS]
        self.text = " ".join(normal.replace("\0", " ").split())
        self.found: dict[str, list[tuple[int, str]]] = {}

    def take(self, kind: str, pattern: re.Pattern[str], value: Callable[[re.Match[str]], str | None]) -> None:
        """Record the ``value`` of each match; a match without one leaves its words to the next pattern."""
        pieces, end = [], 0
        for match in pattern.finditer(self.text):
            if (named := value(match)) is not None:
                for offset, one in enumerate(named.split("\n")):
                    self.note(kind, match.start() + offset, one)
                pieces += [self.text[end : match.start()], "\0" * len(match.group())]
                end = match.end()
        self.text = "".join([*pieces, self.text[end:]])

    def note(self, kind: str, position: int, value: str) -> None:
        self.found.setdefault(kind, []).append((position, value))

    def note_platforms_of_devices(self) -> None:
        for position, device in self.found.get("device", []):
            if platform := _PLATFORM_OF.get(device.split()[0]):
                self.note("platform", position, platform)

    def values(self) -> dict[str, list[str]]:
        named = {kind: sorted(self.found[kind], key=lambda one: one[0]) for kind in KINDS if kind in self.found}
        return {kind: list(dict.fromkeys(value for _, value in found))[:MAX_VALUES] for kind, found in named.items()}


def _joined(version: str) -> str:
    """A version without the blanks that some stores put around its dots."""
    return re.sub(r" ?\. ?", ".", version).lower()


def _system(system: str, match: re.Match[str]) -> str:
    return f"{system} {_joined(match['version'])}"


def _device(family: str, match: re.Match[str]) -> str:
    model = match["model"].lower().replace("+", " plus").replace("promax", "pro max")
    model = re.sub(r"(?<=[0-9sa])(?=(?:plus|pro|max|mini|ultra|edge|lite)\b)", " ", model)  # 'iphone 6plus'
    return " ".join([family, *model.split()])


def _browser(online: bool, match: re.Match[str]) -> str | None:
    """The name with its version, if there is one; without, only where the words around speak of the web."""
    name, version = (match["tagged"] or match["plain"]).lower(), match["version"]
    if version:
        return f"{name} {version}"
    maker = (match["before"] or "").lower() in {"google", "mobile", "microsoft", "ms"}
    if match["tagged"] or maker or name == "firefox":
        return name
    capital = match["plain"][0].isupper()
    return name if online and (capital or name != "edge") and (capital or match["before"]) else None


def _error(match: re.Match[str]) -> str:
    code = match["code"]
    if domain := match.groupdict().get("domain"):
        return f"{domain} {code}"
    return code.lower() if code.lower().startswith("0x") else code.upper()


def _order(match: re.Match[str]) -> str | None:
    """One number or more, on lines of their own; no year, date or small count."""
    first = match["first"].upper()
    digits = sum(character.isdigit() for character in first)
    marked = match["number"] or "#" in match["mark"]
    enough = 3 if marked or not first.isdigit() else 4
    if digits < enough or _DATE.fullmatch(first) or (_YEAR.fullmatch(first) and not marked):
        return None
    return "\n".join([first, *re.findall(r"[0-9]{4,12}", match["rest"])])


def _sku(match: re.Match[str]) -> str | None:
    sku = match["sku"].upper()
    return None if len(sku) < 3 or _YEAR.fullmatch(sku) or _DATE.fullmatch(sku) else sku


def _amount(match: re.Match[str]) -> str:
    """``EUR 12.99`` from '12,99 €'; one separator before exactly three digits parts thousands."""
    total = re.sub(r"[ '’]", "", match["sum"])
    parts = re.split(r"[.,]", total)
    cents = parts.pop() if len(parts) > 1 and len(parts[-1]) < 3 else ""
    whole = str(int("".join(parts)) * (1000 if match["kilo"] and not cents else 1))
    sign = match["sign"].lower()
    currency = next(code for code, words in _CURRENCY_PATTERNS if words.fullmatch(sign))
    return f"{currency} {whole}" + (f".{cents:0<2}" if cents else "")


def _version(match: re.Match[str]) -> str:
    return _joined(match["version"])


def _loose_version(match: re.Match[str]) -> str | None:
    """A version, unless it may as well be a date, an IP address or a sum in thousands."""
    version = _joined(match["version"])
    parts = [int(part) for part in version.split(".")]
    if len(parts) == 4 and max(parts) < 256:
        return None
    if len(parts) == 3 and (_is_date(parts, version) or _THOUSANDS.fullmatch(version)):
        return None
    return version


def _is_date(parts: list[int], version: str) -> bool:
    """12.04.2025, 2025.4.12 and 12.04.25, but not 5.2.0."""
    first, middle, last = parts
    day_first = (1 <= first <= 31 and 1 <= middle <= 12) or (1 <= first <= 12 and 1 <= middle <= 31)
    short = len(version.rsplit(".", 1)[1]) == 2
    return (day_first and (short or 1900 <= last < 2100)) or (1900 <= first < 2100 and middle <= 12 and last <= 31)


def _compiled(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_NAMES = [
    (kind, name, re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE))
    for kind, table in (("feature", FEATURES), ("platform", _PLATFORMS))
    for name, words in table.items()
]
_SYSTEM_PATTERNS = [(name, re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)) for name, words in _SYSTEMS.items()]
_DEVICE_PATTERNS = [
    (name, re.compile(rf"(?<!\w){words}{_UNCOUNTED}(?!\w)", re.IGNORECASE)) for name, words in _DEVICES.items()
]
_CURRENCY_PATTERNS = [(code, re.compile(words, re.IGNORECASE)) for code, words in _CURRENCIES.items()]
_READERS: tuple[tuple[str, tuple[re.Pattern[str], ...], Callable[[re.Match[str]], str | None]], ...] = (
    ("error_code", _compiled(_ERRORS), _error),
    ("order_id", _compiled(_ORDERS), _order),
    ("sku", _compiled(_SKUS), _sku),
    ("amount", _compiled(_AMOUNTS), _amount),
    ("app_version", _compiled(_VERSIONS), _version),
    ("app_version", _compiled(_LOOSE_VERSIONS), _loose_version),
)
