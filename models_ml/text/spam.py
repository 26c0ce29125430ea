"""Spam detection: weighted patterns against a threshold, and shape checks for link farms, gibberish and repetition.

Each signal is a pattern with a weight. A text whose weights reach ``THRESHOLD`` is spam; the group with the largest
weight is the reason. Signals are calls ("use my code", "sub to me"), offers and contacts; anger, capitals and a link
are none. Words of complaint or request lower the score: a customer whose promo code fails, or who sees casino adverts
in the app, uses a spammer's words. A lost complaint costs more than an advert let through, so single words never
suffice. Each text is judged alone, on its first 2,000 characters.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from models_ml.text.preprocess import clean

THRESHOLD = 1.0
_COMPLAINT_WEIGHT = -1.0
_CONTACT_WEIGHT = 0.5


@dataclass(frozen=True)
class Spam:
    """Result for one text: True if spam, and the reason, '' if not."""

    is_spam: bool
    reason: str


@dataclass(frozen=True)
class _Signal:
    reason: str
    weight: float
    pattern: re.Pattern[str]


# Only imperatives are calls: "use my code", not "I use my code"; "subscribe to me", not "nobody can subscribe to me".
_TELLING = "i we you they who can could did cannot not won't cant let me lets people them friends fans others users"
_CALL = "".join(rf"(?<!\b{word} )" for word in _TELLING.split()) + r"(?<!n't )"
_MONEY = r"(?:[$€£] ?\d[\d.,]*k?|\d[\d.,]*k? ?(?:[$€£]|usd|eur|dollars?|euros?))"
_MINE = r"(?:my|our) (?:new )?(?:\w+ )?"

_PATTERNS: dict[str, list[tuple[float, str]]] = {
    "self_promotion": [
        (1.0, r"\b(?:(?:sub|follow|like) ?(?:4|for) ?(?:sub|follow|like)|[fls]4[fls])\b"),
        (1.0, _CALL + r"(?<!\bto )\b(?:sub|subscribe|suscribe) (?:to|2) (?:me|my|our)\b"),
        (1.0, _CALL + rf"\bcheck ?out {_MINE}(?:channel|page|profile|insta\w*|tiktok|blog|website|music)\b"),
        (1.0, _CALL + r"\bfollow (?:me (?:on|at|@)|my (?:insta\w*|page|tiktok|twitter|channel))"),
        (0.5, r"\bmy (?:youtube |yt |twitch |tiktok )?channel (?:is|be|name is|called)(?: call(?:ed)?)? \w"),
        (0.5, r"\bcheck it out\b"),
        (1.0, r"\b(?:suscríb[ae](?:te|nse) a mi canal|inscreva[mn]?-se no meu canal|se inscreve no meu canal)\b"),
        (1.0, r"\b(?:abonne[zr]?-(?:vous|toi) à ma chaîne|abonniert (?:mich|meinen kanal)|iscrivetevi al mio)\b"),
    ],
    "code_begging": [
        (0.8, _CALL + rf"(?<!\bto )\b(?:use|enter|apply|type) {_MINE}(?:\w+ )?(?:code|link)\b"),
        (0.8, rf"\b(?:free|welcome|want) to use {_MINE}(?:\w+ )?(?:code|link)\b"),
        (
            0.9,
            _CALL + r"\b(?:sign ?up|register|join|download)(?: \w+){0,4} "
            rf"(?:with|using|through|via) {_MINE}(?:code|link)\b",
        ),
        (0.8, r"\bmy (?:invite|invitation|referral|promo|friend|referrer|bonus) (?:code|link)(?: is|:| =|->)"),
        (0.4, r"\b(?:referral|invite|invitation|friend) (?:code|link)s?\b"),
        (0.8, r"\b(?:us[ae]d? (?:mi|meu) código|usen mi código|nutzt? meinen code|utilise[zr]? mon code)\b"),
        (
            0.4,
            r"\b(?:get|earn|receive|gives?|we both|you both)\b[^.!?]{0,30}(?:\b(?:free|bonus|credits?)\b|\d ?%|"
            + _MONEY
            + ")",
        ),
        (0.4, r"\b(?:gratis|bonus|kostenlos|grátis|offerts?)\b"),
        (0.2, r"\b(?-i:(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{5,12}\b)"),
    ],
    "adult_advert": [
        (
            1.0,
            r"\b(?:hot|sexy|lonely|single) (?:girls?|singles?|women|ladies) (?:in your|near you|waiting|want|online)\b",
        ),
        (0.6, r"\b(?:sex ?cams?|sex ?chat|nude (?:pics?|photos?|videos?)|xxx (?:videos?|pics?)|onlyfans|escorts?)\b"),
        (0.6, r"\b(?:viagra|cialis|penis enlarge\w*)\b"),
        (0.5, r"\b(?:buy|cheap|order)\b[^.!?]{0,30}\b(?:pills?|viagra|cialis|without prescription)\b"),
    ],
    "casino_advert": [
        (1.0, r"\b(?:slot gacor|judi (?:online|slot)|situs (?:slot|judi|togel)|togel online|agen bola)\b"),
        (0.6, r"\b(?:claim|grab|collect) (?:your|ur) (?:\d+ )?(?:free spins|casino bonus|welcome bonus|jackpot)"),
        (0.4, r"\b(?:\d+ free spins|no deposit bonus|casino bonus|deposit bonus)\b"),
        (0.4, r"\b(?:best|top|trusted|new) (?:online )?(?:casino|betting site|sportsbook)s?\b"),
        (0.7, r"\b(?:fixed matches|sure (?:odds|wins?)|betting tips)\b"),
        (0.4, r"\bwin (?:real money|big)\b"),
    ],
    "crypto_advert": [
        (1.0, r"\bdouble (?:your|ur) (?:bitcoins?|btc|money|investment|crypto|eth)\b"),
        (2.1, r"\b(?:recovery (?:expert|agent|specialist|firm)|hacker|wizard)\b.{0,160}\brecover\w*\b"),
        (
            2.1,
            r"\bhelped me (?:to )?(?:recover|get back|retrieve) (?:all )?my (?:\w+ ){0,2}"
            r"(?:funds|bitcoins?|btc|crypto|usdt|investment)",
        ),
        (
            0.7,
            rf"\b(?:earn|make|made|making|earning)\b[^.!?]{{0,15}}{_MONEY}[^.!?]{{0,10}}"
            r"\b(?:a|per|every|each|in|within) (?:\d+ )?(?:day|week|hour|month)s?\b",
        ),
        (0.5, r"\bguaranteed (?:daily )?(?:profits?|returns?|income)\b"),
        (
            0.6,
            r"\b(?:bitcoin|btc|crypto|forex|binary)(?: \w+)? "
            r"(?:mining|trading|investment|broker|expert|manager|signals?|giveaway|airdrop)\b",
        ),
        (0.6, r"\b(?:invest|investing|trade|trading) with (?:mr|mrs|ms|miss|her|him)\b"),
    ],
    "template_advert": [
        (
            1.0,
            r"\bwe are (?:an?|the|one of the) (?:leading|professional|reliable|top)(?: \w+){0,4} "
            r"(?:manufacturer|supplier|factory|exporter|agency|compan(?:y|ies))",
        ),
        (
            1.0,
            r"\bbuy (?:(?:real|cheap|active|verified|instagram|tiktok|youtube|google|5[ -]star) ){1,3}"
            r"(?:followers|likes|subscribers|views|reviews)\b",
        ),
        (0.6, r"\b(?:seo (?:services?|agency|expert|packages?)|guest posts?|back ?links|link building)\b"),
        (0.6, r"\b(?:first page of google|rank (?:#1|higher|your (?:web)?site))\b"),
        (0.6, r"\b(?:boost|increase|grow) your (?:followers|sales|traffic|rankings?)\b"),
        (
            0.8,
            r"\b(?:free|unlimited) (?:v-?bucks|robux|gift cards?|diamonds|coins|gems)\b.{0,30}"
            r"\b(?:generator|hack|no verification|no survey)\b",
        ),
        (
            0.7,
            r"\b(?:need an? (?:urgent |quick )?loan\?|we (?:offer|give out) (?:\w+ ){0,3}loans"
            r"|loans? (?:offer )?at \d)",
        ),
        (0.7, r"\bcongratulations?\W{1,3}you(?:'ve| have)? (?:won|been (?:selected|chosen))\b"),
        (
            0.5,
            r"\b(?:claim your (?:prize|reward|gift)|work from home|passive income|part[- ]time job|replica watches)\b",
        ),
        (0.5, r"\bvisit (?:our|my) (?:web ?site|site|page|shop|store|blog)\b"),
        (0.4, r"\b(?:click (?:here|(?:on )?(?:the|this|my) link)|limited (?:time )?offer|order now|act now)\b"),
        (0.4, r"\b100% (?:free|legit|working|guaranteed)\b"),
        (0.3, r"\bdear (?:sir|madam|(?:site|website|business) owner|purchasing manager)\b"),
    ],
}
_SIGNALS = [
    _Signal(reason, weight, re.compile(pattern, re.IGNORECASE))
    for reason, patterns in _PATTERNS.items()
    for weight, pattern in patterns
]

_COMPLAINT = re.compile(
    r"\b(?:can|could|do|does|did|is|are|was|wo|would|has|have|should)n['’]?t\b|\b(?:cannot|can not|not work\w*|nothing"
    r"|never|tried|crash\w*|bugs?|buggy|broken?|error|fail\w*|invalid|reject\w*|declined|refund\w*|stuck|glitch\w*"
    r"|freez\w*|frozen|lag\w*|expired|wrong|missing|fix|charged|cancel\w*|hack(?:ed)?|scam\w*|phishing|fraud\w*|spam"
    r"|ads?|advert\w*|annoy\w*|hate|worst|terrible|problem\w*|issues?|support|help|remove[ds]?"
    r"|please add|can you|could you|bring back|why (?:did|do|is|are)|got (?:an?|this) (?:e-?mail|text|sms|message)"
    r"|nicht|fehler|werbung|no funciona|no puedo|anuncios|publicidad|reembols\w*|erreur|ne|pas|publicité|pub"
    r"|não funciona|não consigo|erro|propaganda|problema|problème|non funziona)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"(?:https?://|www\.)([\w.-]+)\S*", re.IGNORECASE)
_CONTACT = re.compile(
    r"https?://|\bwww\.|\b(?:bit\.ly|t\.me|wa\.me|tinyurl\.com|cutt\.ly|linktr\.ee)/|[\w.]@[\w-]+\.\w"
    r"|\b(?:whatsapp|telegram|link in bio|dm me|inbox me|kontaktieren sie)\b",
    re.IGNORECASE,
)
# Hosts of screenshots and recordings: evidence in a bug report, no advert.
_EVIDENCE = re.compile(
    r"(?:^|\.)(?:imgur\.com|prnt\.sc|prntscr\.com|gyazo\.com|ibb\.co|postimg\.cc|dropbox\.com|google\.com|1drv\.ms|loom\.com"
    r"|icloud\.com|youtube\.com|youtu\.be|streamable\.com|github\.com|pastebin\.com|wetransfer\.com|apple\.com)$"
)

_WORD = re.compile(r"[^\W\d_]+")
_WALKS = (
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiopü",
    "asdfghjklöä",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
)
_WALK = 5  # no word of the golden set or the reviews has five neighbouring keys
_WALKED = frozenset(
    row[start : start + _WALK] for walk in _WALKS for row in (walk, walk[::-1]) for start in range(len(row) - _WALK + 1)
)
_UNTYPED = re.compile(
    r"(?:asd|sdf|dsa|fds|jkl|lkj|zxc|qwe){2}"  # one hand, up and down
    r"|[bcdfghklmnpqrstvwxz]j[bcdfghklmnpqrstvwxz]"  # jammed in no language of these letters, Dutch 'ij' apart
    r"|[bcdfghjklmnpqrstvwxz]{7}"
)  # fmt: skip
_DOUBLED = re.compile(r"(.)\1+")
_CLUSTERS = re.compile("sch|ch|sz|cz|rz|ck|tz")


def detect(text: str) -> Spam:
    """Classify one text."""
    visible = clean(text)
    for reason, found in (
        ("link_farm", _is_link_farm(visible)),
        ("gibberish", _is_gibberish(visible)),
        ("repetition", _is_repetition(visible)),
    ):
        if found:
            return Spam(True, reason)
    weights = _weights(visible)
    total = sum(weights.values())
    if weights:
        total += _CONTACT_WEIGHT * bool(_CONTACT.search(visible)) + _COMPLAINT_WEIGHT * bool(_COMPLAINT.search(visible))
    if round(total, 6) < THRESHOLD:
        return Spam(False, "")
    return Spam(True, max(weights, key=lambda reason: weights[reason]))


def _weights(text: str) -> dict[str, float]:
    """Sum of the weights of the signals found, by reason."""
    weights: dict[str, float] = {}
    for signal in _SIGNALS:
        if signal.pattern.search(text):
            weights[signal.reason] = weights.get(signal.reason, 0.0) + signal.weight
    return weights


def _is_link_farm(text: str) -> bool:
    """Three or more links to different hosts, or five in all, with few other words."""
    hosts = [host.lower().removeprefix("www.") for host in _LINK.findall(text)]
    hosts = [host for host in hosts if not _EVIDENCE.search(host)]
    words = len(_WORD.findall(_LINK.sub(" ", text)))
    return (len(set(hosts)) >= 3 or len(hosts) >= 5) and words <= 6 * len(hosts)


def _is_gibberish(text: str) -> bool:
    """Most letters belong to words of keyboard mashing."""
    words = _WORD.findall(_LINK.sub(" ", text).casefold())
    letters = sum(map(len, words))
    mashed = sum(len(word) for word in words if _is_mashed(word))
    return mashed >= 6 and mashed >= 0.6 * letters


def _is_mashed(word: str) -> bool:
    if len(word) >= 15 and max(Counter(word).values()) >= 0.9 * len(word):
        return True
    if any(word[start : start + _WALK] in _WALKED for start in range(len(word) - _WALK + 1)):
        return True
    return len(word) >= 6 and bool(_UNTYPED.search(_CLUSTERS.sub("h", _DOUBLED.sub(r"\1", word))))


def _is_repetition(text: str) -> bool:
    """One word ten times or more and hardly another, unless the word is a complaint."""
    words = re.findall(r"\w+", text.casefold())
    if len(words) < 10:
        return False
    word, count = Counter(words).most_common(1)[0]
    return count >= 10 and count >= 0.8 * len(words) and not _COMPLAINT.fullmatch(word)
