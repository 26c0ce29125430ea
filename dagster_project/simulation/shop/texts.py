"""Text generator: a situation (author, channel, issue type) to the title and text of one piece of feedback.

The grammars of ``phrases`` and ``phrases_local`` are expanded at random and formatted by channel: tickets have
greetings and signatures (with invented e-mail addresses and 555 phone numbers, so that masking is exercised), chats
short turns, posts a handle and hashtags, reviews typos and emoji.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from dagster_project.simulation.shop.grammar import expand
from dagster_project.simulation.shop.phrases import ENGLISH, RETURNED_FOR_NO_FAULT, Phrases
from dagster_project.simulation.shop.phrases_local import FRENCH, GERMAN, SPANISH

_GRAMMARS: dict[str, dict[str, Phrases]] = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH}

CONTENT = frozenset({"praise", "feature_request", "other"})
"""Issue types that are not complaints."""

_SINCE_RELEASE = {
    "en": "{|||since the {update|last update|new update|latest version|new version}|since {version |v|}<version>|after"
    " updating to <version>|in version <version>|since I updated}",
    "de": "{||seit dem {Update|letzten Update}|seit <version>|seit der neuen Version|in Version <version>}",
    "fr": "{||depuis la mise à jour|depuis la <version>|avec la dernière version}",
    "es": "{||desde la actualización|desde la <version>|con la última versión}",
}
_SINCE_WHENEVER = {
    "en": "{|||||again|today|since yesterday|all the time}",
    "de": "{||||schon wieder|seit gestern}",
    "fr": "{||||encore une fois|depuis hier}",
    "es": "{||||otra vez|desde ayer}",
}
_CLOSERS = {
    "en": "{Please fix this|Fix it please|Very disappointed|Really annoying|Not acceptable|Deleting it|Sort it out}",
    "de": "{Bitte beheben|Sehr ärgerlich|Enttäuschend|Das geht gar nicht}",
    "fr": "{Merci de corriger|Très déçu|Inadmissible}",
    "es": "{Arréglenlo por favor|Muy decepcionado}",
}
_CONCESSIONS = {
    "en": "{Nice shop|I like the app|Good selection|Usually fine}, but ",
    "de": "{Eigentlich gut|Schöner Shop}, aber ",
    "fr": "{Bonne boutique|J'aime bien}, mais ",
    "es": "{Buena tienda|Me gusta}, pero ",
}
_GREETINGS = {
    "en": "{Hi|Hello|Dear support|Hi team|Good morning|Hello there}",
    "de": "{Hallo|Guten Tag|Sehr geehrte Damen und Herren|Liebes Team}",
    "fr": "{Bonjour|Bonjour à tous|Madame, Monsieur}",
    "es": "{Hola|Buenos días}",
}
_REQUESTS = {
    "en": "{Please help|Could you look into this?|Please get back to me|What can I do?|Please advise}",
    "de": "{Bitte um Hilfe|Bitte melden Sie sich|Was kann ich tun?}",
    "fr": "{Merci de votre aide|Que puis-je faire ?|Merci de me répondre}",
    "es": "{Espero su respuesta|¿Qué puedo hacer?}",
}
_SIGN_OFFS = {
    "en": "{Best regards|Kind regards|Thanks|Regards|Cheers}",
    "de": "{Viele Grüße|Mit freundlichen Grüßen|Danke}",
    "fr": "{Cordialement|Merci|Bien à vous}",
    "es": "{Saludos|Gracias}",
}
_REACH_ME = {
    "en": "{You can reach me at|My e-mail is|Contact me:} <email>[ or <phone>]",
    "de": "{Erreichbar unter|Meine Adresse:} <email>[ oder <phone>]",
    "fr": "{Vous pouvez me joindre à|Mon adresse :} <email>[ ou <phone>]",
    "es": "{Mi correo es|Contacto:} <email>[ o <phone>]",
}
_ORDER_LINE = {
    "en": "{Order number|My order number is|Order}: <order>",
    "de": "Bestellnummer: <order>",
    "fr": "Commande : <order>",
    "es": "Pedido: <order>",
}
_ANGRY_SIGNS = ("😡", "😤", "🙄", "👎", "😞", "🤬")
_HAPPY_SIGNS = ("😍", "👍", "❤️", "🎉", "⭐", "😊")
_AGENT_TURN = (
    "Agent: {Hi, how can I help you today?|Hello, what can I do for you?|Welcome to the chat, how can I help?}"
)
_HASHTAGS = {
    "checkout_failure": "{#checkout|#cantorder|#shopfail}",
    "payment_failure": "{#payment|#chargedtwice}",
    "app_crash": "{#crash|#appfail}",
    "shipping_delivery": "{#delivery|#whereismyparcel|#latedelivery}",
    "praise": "{#happy|#shopping|#love}",
    "customer_service": "{#fail|#customerservice}",
}
_GIVEN = (
    "Anna Ben Clara David Emma Felix Grace Hugo Ines Jonas Karim Lena Marie Noah Olivia Paul Rosa Samir Tina Victor"
).split()
_FAMILY = (
    "Archer Bauer Costa Dubois Evans Fischer Garner Huber Ivanov Jensen Keller Lambert Mills Novak Ortiz Perrin"
).split()
_PHONES = {"DE": "030 555 01{}", "FR": "01 55 55 01 {}", "GB": "020 7555 01{}", "US": "+1 212 555 01{}"}


@dataclass(frozen=True)
class Situation:
    """Input of the text generator."""

    issue_type: str
    channel: str
    language: str
    country: str
    person: int
    item: str
    order_id: str
    quotes_order: bool
    """True if the customer may name an order."""
    device: str
    blamed_version: str | None = None
    """Version that the customer may blame; None if no release is at fault."""


def compose(situation: Situation, rng: Random) -> tuple[str, str]:
    """Generate title (may be empty) and text."""
    phrases = _phrases_for(situation)
    say = _Voice(situation, rng)
    text = _STYLES[situation.channel](phrases, situation, say)
    title = say(rng.choice(phrases.titles)).rstrip("!") if situation.channel in _TITLED and phrases.titles else ""
    if situation.channel != "support_ticket" and title and rng.random() < 0.25:
        title = title.lower()
    return title, text


def person_of(number: int, country: str) -> tuple[str, str, str]:
    """Invented name, e-mail address and phone number; deterministic for the customer's number."""
    given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[(number // len(_GIVEN)) % len(_FAMILY)]
    phone = _PHONES[country].format(f"{number % 90 + 10}")
    return f"{given} {family}", f"{given}.{family}{number % 100}@example.com".lower(), phone


class _Voice:
    """Expands grammars for one situation, fills the slots and tidies spaces."""

    def __init__(self, situation: Situation, rng: Random) -> None:
        self.rng = rng
        self.language = situation.language if situation.issue_type in _GRAMMARS[situation.language] else "en"
        self.version = situation.blamed_version
        name, email, phone = person_of(situation.person, situation.country)
        self.name = name
        self.slots = {
            "item": situation.item,
            "order": situation.order_id,
            "device": situation.device,
            "version": self.version or "",
            "email": email,
            "phone": phone,
            "coupon": rng.choice(("HELLO10", "SAVE15", "WELCOME5", "FREESHIP", "WEEKEND20")),
            "amount": f"{rng.randrange(9, 180)}.{rng.choice(('00', '49', '90', '95', '99'))}",
            "days": str(rng.randrange(3, 11)),
        }

    def __call__(self, grammar: str) -> str:
        rule = _SINCE_RELEASE if self.version else _SINCE_WHENEVER
        grammar = grammar.replace("<since>", rule[self.language])
        text = re.sub(r"<(\w+)>", lambda slot: self.slots[slot[1]], expand(grammar, self.rng))
        text = re.sub(r"\s+", " ", text)
        text = re.sub(r" ([.,])", r"\1", text).strip()
        return text[:1].upper() + text[1:]

    def local(self, grammars: dict[str, str]) -> str:
        """Expand the grammar of the customer's language."""
        return self(grammars[self.language])

    def maybe(self, probability: float) -> bool:
        """Random bool with this probability."""
        return self.rng.random() < probability


def _phrases_for(situation: Situation) -> Phrases:
    if (situation.issue_type, situation.channel) == ("other", "return"):
        return RETURNED_FOR_NO_FAULT
    return _GRAMMARS[situation.language].get(situation.issue_type) or ENGLISH[situation.issue_type]


def _review(phrases: Phrases, situation: Situation, say: _Voice) -> str:
    is_complaint = situation.issue_type not in CONTENT
    sentences = [say(say.rng.choice(phrases.problems))]
    if is_complaint and say.maybe(0.08):
        first = sentences[0]
        sentences[0] = (
            say.local(_CONCESSIONS) + " " + (first if first.startswith("I ") else first[0].lower() + first[1:])
        )
    if phrases.details and say.maybe(0.55):
        sentences.append(say(say.rng.choice(phrases.details)))
    if is_complaint and say.maybe(0.22):
        sentences.append(say.local(_CLOSERS))
    text = _joined(sentences, "!" if say.maybe(0.15) else ".")
    if say.maybe(0.18):
        text += " " + say.rng.choice(_signs(situation)) * say.rng.choice((1, 1, 2, 3))
    if say.maybe(0.18):
        text = text.lower()
    return _misspell(text, say.rng) if say.maybe(0.15) else text


def _short_note(phrases: Phrases, situation: Situation, say: _Voice) -> str:
    sentences = [say(say.rng.choice(phrases.problems))]
    if phrases.details and say.maybe(0.2):
        sentences.append(say(say.rng.choice(phrases.details)))
    text = _joined(sentences, "." if say.maybe(0.6) else "")
    return _misspell(text, say.rng) if say.maybe(0.1) else text


def _ticket(phrases: Phrases, situation: Situation, say: _Voice) -> str:
    body = [say(say.rng.choice(phrases.problems))]
    wanted = min(len(phrases.details), say.rng.choice((1, 1, 2)))
    body += [say(detail) for detail in say.rng.sample(phrases.details, wanted)]
    paragraphs = [say.local(_GREETINGS) + ",", _joined(body, ".")]
    if situation.quotes_order and situation.order_id not in paragraphs[1] and say.maybe(0.6):
        paragraphs.append(say.local(_ORDER_LINE))
    if situation.issue_type not in CONTENT:
        paragraphs.append(_joined([say.local(_REQUESTS)], "."))
    if say.maybe(0.35):
        paragraphs.append(_joined([say.local(_REACH_ME)], ""))
    paragraphs.append(f"{say.local(_SIGN_OFFS)}\n{say.name}")
    text = "\n\n".join(paragraphs)
    return _misspell(text, say.rng) if say.maybe(0.06) else text


def _chat(phrases: Phrases, situation: Situation, say: _Voice) -> str:
    turns = [say.local(_GREETINGS)] if say.maybe(0.5) else []
    turns.append(say(say.rng.choice(phrases.problems)))
    if phrases.details:
        turns.append(say(say.rng.choice(phrases.details)))
    if situation.issue_type not in CONTENT and say.maybe(0.4):
        turns.append(say.local(_REQUESTS))
    if say.maybe(0.6):
        turns = [turn.lower() for turn in turns]
    if say.maybe(0.25):
        turns = [_misspell(turn, say.rng) for turn in turns]
    if say.maybe(0.2):
        turns = [expand(_AGENT_TURN, say.rng), *(f"Customer: {turn}" for turn in turns)]
    return "\n".join(turns)


def _post(phrases: Phrases, situation: Situation, say: _Voice) -> str:
    text = say(say.rng.choice(phrases.problems))
    if say.maybe(0.7):
        text = f"@shopapp {text}"
    if situation.issue_type in _HASHTAGS and say.maybe(0.6):
        text += " " + expand(_HASHTAGS[situation.issue_type], say.rng)
    if say.maybe(0.35):
        text += " " + say.rng.choice(_signs(situation))
    return _misspell(text, say.rng) if say.maybe(0.15) else text


_TITLED = frozenset({"app_review", "product_review", "support_ticket"})
_STYLES: dict[str, Callable[[Phrases, Situation, _Voice], str]] = {
    "app_review": _review,
    "product_review": _review,
    "support_ticket": _ticket,
    "chat": _chat,
    "nps": _short_note,
    "return": _short_note,
    "social": _post,
}


def _signs(situation: Situation) -> tuple[str, ...]:
    if situation.issue_type == "praise":
        return _HAPPY_SIGNS
    return ("🙏",) if situation.issue_type in CONTENT else _ANGRY_SIGNS


def _joined(sentences: list[str], mark: str) -> str:
    return " ".join(s if s.endswith(("?", "!", ".")) or not mark else s + mark for s in sentences)


def _misspell(text: str, rng: Random) -> str:
    """Add one or two typos to plain words; numbers, addresses and versions stay intact."""
    words = text.split(" ")
    plain = [i for i, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    for i in rng.sample(plain, min(len(plain), rng.choice((1, 1, 2)))):
        word = words[i]
        at = rng.randrange(1, len(word) - 2)
        slip = rng.randrange(3)
        if slip == 0:
            words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        elif slip == 1:
            words[i] = word[:at] + word[at + 1 :]
        else:
            words[i] = word[:at] + word[at] + word[at:]
    return " ".join(words)
