"""Free texts in customers' own words, from a pool: a topic, a style and a number give one text, in every world.

A pool instead of fresh text per world: equal texts have equal labels, so worlds can share them. A world draws from a
pool without repetition (``Pool``), as customers do not copy each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Literal

from dagster_project.simulation.products import phrases_purchase, phrases_service, phrases_use
from dagster_project.simulation.products.phrases_abroad import ABROAD
from dagster_project.simulation.shop.grammar import expand

Style = Literal["short", "letter", "post"]
"""A review, chat line or survey comment; a mail to support; a public post."""

FORMS = {**phrases_purchase.FORMS, **phrases_use.FORMS, **phrases_service.FORMS}

TYPE_OF_TOPIC: dict[str, str] = {
    "checkout_stuck": "checkout_failure",
    "promo_rejected": "checkout_failure",
    "pay_declined": "payment_failure",
    "pay_double": "payment_failure",
    "billing_wrong": "billing_subscription",
    "price_too_high": "pricing_expectation",
    "out_of_stock": "inventory_availability",
    "login_no_code": "login_account",
    "login_loop": "login_account",
    "crash_start": "app_crash",
    "crash_midway": "app_crash",
    "slow_all": "performance",
    "search_empty": "search_discovery",
    "notify_dead": "feature_bug",
    "sync_dead": "feature_bug",
    "hard_to_use": "ui_usability",
    "foreign_login": "security_privacy",
    "delivery_late": "shipping_delivery",
    "goods_broken": "product_defect",
    "box_damaged": "packaging",
    "refund_missing": "returns_refunds",
    "support_silent": "customer_service",
    "wish": "feature_request",
    "happy": "praise",
    "chatter": "other",
    "sarcasm": "other",
    "bot_spam": "other",
}
"""The issue type that a topic's sentences speak of."""

_POOL_SIZE: dict[Style, int] = {"short": 500, "letter": 300, "post": 240}
_FLOODED = ("login_loop", "checkout_stuck")
"""Topics of which hundreds are said in an hour: their pools are larger, so that these do not repeat each other."""


def pool_size(topic: str, style: Style) -> int:
    """Number of texts in a pool."""
    return _POOL_SIZE[style] * (3 if topic in _FLOODED else 1)


_UPSET = (
    "{so annoying|this is a joke|unacceptable|please fix|fix this|very disappointed|not amused}",
    "{I will|going to} {leave|look elsewhere|delete it} {soon|if this goes on}",
    "{one star|zero stars if I could|was five stars before}",
    "{anybody else|is it just me}?",
    "{help|please help|any idea}?",
    "{what is going on|what happened|how long will this take}?",
    "{lost|wasted} {an hour|my evening|my lunch break} {on this|with it}",
    "{nice app otherwise|I liked it until now|everything else is fine}",
    "{using it since 2019|customer for six years}, {first time I complain|never seen this}",
    "{in a hurry and then this|today of all days|of course on a sunday}",
)
_LEAD = (
    "{hi|hello|hey} {guys|team|there},",
    "{again|once more|same as last month}:",
    "{seriously|honestly|come on},",
    "{not sure what happened but|dunno why,}",
    "{ugh|argh|omg|sigh}",
    "{update:|edit:}",
    "{my mum says|my husband too,}",
)
_MIXED = (
    "{payment was easy|delivery was quick|support was kind} {last time|usually} {but|though}",
    "{love the design|great idea}{, but| and yet}",
    "{price is ok|good selection},",
)
_GREETING = ("Hello,", "Hi there,", "Dear support team,", "Good morning,", "To whom it may concern,", "Hey,")
_CLOSING = (
    "Kind regards\n{Anna|Tom|Priya|Marek|J. Dubois|Sofia|Ahmed}",
    "Thanks, {Lena|Oli|Ruth|Kim}",
    "Please {advise|get back to me}.",
    "{Looking forward to|Hoping for} {a quick|your} answer",
    "Best, {M.|P. Novak|Carla}",
)
_TAGS = ("#fail", "#help", "@support", "@care", "cc @press", "#{nevermore|thread|smh}", "😡", "🙄", "")
_COMPLAINTS = tuple(
    topic for topic, kind in TYPE_OF_TOPIC.items() if kind not in ("praise", "other", "feature_request")
)


def text_of(topic: str, style: Style, number: int) -> str:
    """The text with that number in the pool of a topic and a style; the same for everybody."""
    return _text_of(topic, style, number % pool_size(topic, style))


@cache
def _text_of(topic: str, style: Style, number: int) -> str:
    rng = Random(f"{topic}/{style}/{number}")
    if topic == "bot_spam":
        return expand(rng.choice(FORMS[topic]), rng)
    if topic in ABROAD and rng.random() < 0.09:
        return _dressed(expand(rng.choice(ABROAD[topic])[1], rng), style, rng, upset=False)
    return _dressed(_said(topic, rng), style, rng, upset=topic in _COMPLAINTS)


def _said(topic: str, rng: Random) -> str:
    """One symptom in words, perhaps with a kind word before it or a second complaint after it."""
    said = expand(rng.choice(FORMS[topic]), rng)
    if topic not in _COMPLAINTS:
        return said
    if rng.random() < 0.06:
        said = f"{expand(rng.choice(_MIXED), rng)} {said}"
    if rng.random() < 0.05:
        other = expand(rng.choice(FORMS[rng.choice(_COMPLAINTS)]), rng)
        said = f"{said}. {rng.choice(('Also', 'And', 'Besides,'))} {other}"
    return said


def _dressed(said: str, style: Style, rng: Random, *, upset: bool) -> str:
    """The symptom as one customer writes it in that place: mood, case, punctuation, typing errors."""
    if upset and rng.random() < 0.25:
        said = f"{expand(rng.choice(_LEAD), rng)} {said}"
    if upset and rng.random() < 0.55:
        said = said + rng.choice((". ", ", ", "! ", " - ", "\n")) + expand(rng.choice(_UPSET), rng)
    said = _hand(rng)(_typos(said, rng))
    if style == "letter":
        return f"{rng.choice(_GREETING)}\n{said}\n{expand(rng.choice(_CLOSING), rng)}"
    if style == "post":
        return f"{said} {expand(rng.choice(_TAGS), rng)}".strip()
    return said


def _hand(rng: Random) -> Callable[[str], str]:
    """A way to use capitals and full stops."""
    draw = rng.random()
    if draw < 0.45:
        return lambda text: text[:1].upper() + text[1:] + rng.choice((".", "!", "", "..", "!!!"))
    if draw < 0.85:
        return lambda text: text
    if draw < 0.92:
        return str.lower
    return str.upper if draw < 0.95 else lambda text: text.replace(",", "").replace(".", "")


def _typos(text: str, rng: Random) -> str:
    """Swapped, lost and doubled letters: about every third text has some."""
    if rng.random() > 0.3 or len(text) < 12:
        return text
    letters = list(text)
    for _ in range(rng.randint(1, 1 + len(text) // 60)):
        at = rng.randrange(1, len(letters) - 1)
        if not (letters[at].isalpha() and letters[at - 1].isalpha()):
            continue
        kind = rng.random()
        if kind < 0.4:
            letters[at - 1], letters[at] = letters[at], letters[at - 1]
        elif kind < 0.75:
            letters[at] = ""
        else:
            letters[at] *= 2
        letters = list("".join(letters))
    return "".join(letters)


class Pool:
    """One world's draws: each text of a topic and style once, in an order of its own, before any comes again."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._orders: dict[tuple[str, Style], list[int]] = {}
        self._used: dict[tuple[str, Style], int] = {}

    def draw(self, topic: str, style: Style) -> str:
        """The next text."""
        key = (topic, style)
        if key not in self._orders:
            order = list(range(pool_size(*key)))
            Random(f"{self._seed}/{topic}/{style}").shuffle(order)
            self._orders[key], self._used[key] = order, 0
        number = self._orders[key][self._used[key] % pool_size(*key)]
        self._used[key] += 1
        return text_of(topic, style, number)
