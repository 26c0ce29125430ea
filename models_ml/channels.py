"""What the customer said, by channel: without quoted threads, signatures, agents' turns and what stores add.

Channels differ in what stands around the words. Nothing is ever turned into nothing: where all of a text looks like
something to leave out, it is kept as it is. The result is one line of clean text, bounded like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from models_ml.preprocess import MAX_CHARACTERS, join

_KEPT = 8 * MAX_CHARACTERS
"""More than is ever read; keeps a megabyte from being taken apart for nothing."""

# -- support tickets ---------------------------------------------------------------------------------------------------
# A line that begins what somebody else wrote: all after it is quoted.
_QUOTES_FOLLOW = re.compile(
    r"[ \t]*(?:-{2,}[ ]?(?:original message|forwarded message|ursprüngliche nachricht|mensaje original"
    r"|message d'origine|mensagem original)\b.*"
    r"|(?:on|am|el|le|em)\b[^\n]{4,120}\b(?:wrote|schrieb|escribió|a écrit|escreveu)\b[^\n]{0,80}:"
    r"|_{10,})[ \t]*",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"[ \t]*(?:from|sent|to|subject|cc|von|gesendet|an|betreff|de|enviado|para|asunto|envoyé|à|objet|assunto)[ ]?:",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"[ \t]*(?:(?:kind|best|warm|many)?[ ]?(?:regards|wishes)|sincerely(?: yours)?|cheers"
    r"|yours (?:sincerely|faithfully|truly)"
    r"|(?:mit )?(?:freundlichen|besten|vielen|herzlichen|lieben?|viele) gr[uü](?:ß|ss)e?n?|mfg|lg|vg"
    r"|(?:un |atentos? |cordial(?:es)? )?salud(?:o|os)(?: cordiales)?|atentamente"
    r"|(?:bien )?cordialement|bien à vous|salutations"
    r"|atenciosamente|(?:com os )?(?:melhores )?cumprimentos|att|abraços?)[ ]?[,.!]*[ \t]*",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(
    r"(?:sent from my|get outlook for|sent via|von meinem \S+ gesendet|enviado desde mi|enviado do meu|envoyé de mon"
    r"|envoyé depuis)\b[^\n]{0,60}",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"(?:this e-?mail|this message|diese e-?mail|este correo|ce message|este e-?mail|esta mensagem)\b[^\n]{0,80}"
    r"(?:confidential|privileged|vertraulich|confidencial|confidentiel)",
    re.IGNORECASE,
)
_SIGNATURE_LINES = 6

# -- chats -------------------------------------------------------------------------------------------------------------
_TURN = re.compile(
    r"[ \t]*(?:[\[(]?\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]m)?[\])]?[ ]?-?[ ]?)?([^\n:]{1,40}?)[ ]?:(?!//)", re.IGNORECASE
)
_CUSTOMER = re.compile(
    r"\b(?:customer|visitor|user|client|guest|me|you|kunde|kundin|besucher|cliente|usuario|usuário|visiteur|visitante)\b",
    re.IGNORECASE,
)
_AGENT = re.compile(
    r"\b(?:agent|agente|support|bot|assistant|assistent|system|operator|conseiller|atendente|berater(?:in)?|service"
    r"|soporte|suporte)\b",
    re.IGNORECASE,
)
_SYSTEM_LINE = re.compile(
    r"[ \t]*[\[(*]*(?:chat (?:started|ended|transcript)|\S+(?: \S+)? (?:joined|left|has joined|has left) the chat"
    r"|conversation (?:started|ended)|you are now chatting with)\b[^\n]{0,80}",
    re.IGNORECASE,
)

# -- social ------------------------------------------------------------------------------------------------------------
_RETWEET = re.compile(r"\s*RT @\w{1,30}:\s*")
_MENTIONS = re.compile(r"\s*(?:[.]?@\w{1,30}[:,]?\s+)+")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HASHTAG = re.compile(r"#(\w{2,60})")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+")

# -- reviews and forms -------------------------------------------------------------------------------------------------
_TRANSLATED = re.compile(r"\(?\btranslated by google\)?[\s\S]{0,4000}?\(original\)", re.IGNORECASE)
_STORE = re.compile(
    r"\(?\btranslated by google\)|\bfull review hidden\b|\bverified purchase\b|\[this review was collected as part of a"
    r" promotion\.?\]|\bread more\.{0,3}$|^[ ]?edit(?:ed)?[ ]?:",
    re.IGNORECASE | re.MULTILINE,
)
_REPLY = re.compile(
    r"\n[ \t]*(?:developer response|response from (?:the )?(?:developer|owner|seller))\b", re.IGNORECASE
)
_QUESTION = re.compile(r"\bQ[ ]?:[^\n]{0,200}?(?:\?|\n)\s*A[ ]?:", re.IGNORECASE)
_PROMPT = re.compile(
    r"^[ \t]*(?:reason|comment|answer|grund|kommentar|motivo|comentario|raison|commentaire)[ ]?:", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"\s*(?:n/?a|none|nothing|no comments?|nil|null|nichts|keine?|kein kommentar|nada|ninguno|rien|aucun"
    r"|nenhum)?[\s.\-–—/]*",
    re.IGNORECASE,
)
_REASON_CODE = re.compile(r"^\s*([A-Z]{3,}(?:[_ ][A-Z]{2,}){0,4})\s*(?:[-–—:|]\s*|$)")


def prepare(title: str | None, text: str | None, channel: str) -> str:
    """The words that count of one piece of feedback, as one clean line; an unknown channel is only cleaned.

    Empty if title and text are, or if an answer on a form says nothing ("n/a").
    """
    body = (text or "")[:_KEPT].replace("\r\n", "\n").replace("\r", "\n")
    stripped = _STRIP.get(channel, _as_it_is)(body)
    if _PLACEHOLDER.fullmatch(body) and channel in ("nps", "return"):
        return join(title, "")
    return join(title, stripped if _has_words(stripped) else body)


def _has_words(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _as_it_is(text: str) -> str:
    return text


def _ticket(text: str) -> str:
    lines = text.split("\n")
    kept: list[str] = []
    for number, line in enumerate(lines):
        if _QUOTES_FOLLOW.fullmatch(line) or line.rstrip() == "--" or _is_header(lines, number):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line)
    kept = [line for line in kept if not _DISCLAIMER.search(line) or len(line) > 4 * MAX_CHARACTERS]
    for number in range(max(1, len(kept) - _SIGNATURE_LINES), len(kept)):
        if _SIGN_OFF.fullmatch(kept[number]):
            kept = kept[:number]
            break
    return _SENT_FROM.sub("", "\n".join(kept))


def _is_header(lines: list[str], number: int) -> bool:
    """Two lines of a mail's header, one after the other, begin what was forwarded."""
    return all(_HEADER.match(line) is not None for line in lines[number : number + 2]) and number + 1 < len(lines)


def _chat(text: str) -> str:
    turns: list[tuple[str, str]] = []  # who (customer, agent or unknown), and what
    for line in text.split("\n"):
        if _SYSTEM_LINE.fullmatch(line):
            continue
        turn = _TURN.match(line)
        speaker = turn.group(1) if turn else ""
        if turn and _CUSTOMER.search(speaker):
            turns.append(("customer", line[turn.end() :]))
        elif turn and _AGENT.search(speaker):
            turns.append(("agent", line[turn.end() :]))
        else:
            turns.append((turns[-1][0] if turns and not turn else "unknown", line))
    heard = "customer" if any(who == "customer" for who, _ in turns) else "unknown"
    return "\n".join(what for who, what in turns if who == heard)


def _social(text: str) -> str:
    without = _URL.sub(" ", _MENTIONS.sub("", _RETWEET.sub("", text, count=1), count=1))
    return _HASHTAG.sub(lambda tag: _HUMP.sub(" ", tag.group(1)).strip() or tag.group(1), without)


def _review(text: str) -> str:
    original = _TRANSLATED.sub(" ", text, count=1)
    return _STORE.sub(" ", _REPLY.split(original, maxsplit=1)[0])


def _form(text: str) -> str:
    return _PROMPT.sub("", _QUESTION.sub(" ", text), count=1)


def _return(text: str) -> str:
    return _REASON_CODE.sub(lambda code: code.group(1).replace("_", " ").lower() + ". ", _form(text), count=1)


_STRIP: dict[str, Callable[[str], str]] = {
    "support_ticket": _ticket,
    "chat": _chat,
    "social": _social,
    "app_review": _review,
    "product_review": _review,
    "nps": _form,
    "return": _return,
}
