"""What the customer said, by channel: without quoted threads, signatures, agents' turns and what stores add.

Channels differ in what stands around the words. Nothing is ever turned into nothing: where all of a text looks like
something to leave out, it is kept as it is; only an answer on a form that says nothing ("n/a") becomes empty. The
result is one line of clean text, bounded like any other. Texts that arrive as one line have lost what marks a signature
or a turn, so there only what is plainly such is cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

from models_ml.text.preprocess import MAX_CHARACTERS, clean, join

_KEPT = 8 * MAX_CHARACTERS
"""More than is ever read; keeps a megabyte from being taken apart for nothing."""

# -- support tickets ---------------------------------------------------------------------------------------------------
_WROTE = r"(?:wrote|schrieb|hat geschrieben|escribió|a écrit|escreveu)\b"
_ATTRIBUTION = re.compile(
    rf"[ ]*(?:(?:on|am|el|le|em)\b(?!.*\b(?:i|we|ich|wir|j'ai|yo|eu)[ ]{_WROTE}).{{4,160}}[ ]{_WROTE}.{{0,80}}:"
    r"|-{2,}[ ]?(?:original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht"
    r"|mensaje original|message d'origine|mensagem original)\b.*|_{10,})[ ]*",
    re.IGNORECASE,
)
_HEADER_START = re.compile(r"[ ]*[*]?(?:from|von|de)[ ]?:", re.IGNORECASE)
_HEADER = re.compile(
    r"[ ]*[*]?(?:from|sent|date|to|cc|subject|von|gesendet|datum|an|betreff|de|enviado(?: el| em)?|fecha|para|asunto"
    r"|envoyé|à|objet|data|assunto)[ ]?:",
    re.IGNORECASE,
)
_NAMES = r"(?:[ ,]+(?-i:[A-ZÀ-Þ])[\w.'-]*){0,4}"
_GREETING = (
    r"(?:(?:with )?(?:kind|best|warm|many) (?:regards|wishes)|regards|sincerely(?: yours)?"
    r"|yours (?:sincerely|faithfully|truly)"
    r"|(?:mit )?(?:freundlichen|besten|vielen|herzlichen|lieben?|viele|beste) gr(?:ü|ue)(?:ß|ss)e?n?"
    r"|(?:(?:un |atentos? )?saludos?(?: cordial(?:es)?)?|un cordial saludo)|atentamente"
    r"|(?:bien )?cordialement|bien à vous|(?:sincères )?salutations"
    r"|atenciosamente|(?:com os )?(?:melhores )?cumprimentos)"
)
_SIGN_OFF = re.compile(rf"[ ]*(?:{_GREETING}|cheers|abraços?|best(?=,)){_NAMES}[ ,.!]*", re.IGNORECASE)
_SHORT_SIGN_OFF = re.compile(r"[ ]*(?:mfg|lg|vg|att)[ ,.]*", re.IGNORECASE)  # also a brand: only before a name
_SENT_FROM = (
    r"(?:sent from (?:my|mail for|outlook for)|sent via|get outlook for|gesendet (?:von|mit)|von meinem \S+ gesendet"
    r"|diese nachricht wurde von meinem|enviado desde|enviado do meu|enviado a partir do|envoyé de(?:puis)? mon"
    r"|envoyé à partir)"
)
_SENT_FROM_LINE = re.compile(rf"[ ]*{_SENT_FROM}\b.{{0,60}}", re.IGNORECASE)
_DISCLAIMER = re.compile(
    r"(?:^[ *(]*|(?<=[.!?…][ ]))(?:confidentiality notice\b|disclaimer[ ]?:|please consider the environment before"
    r"|(?:this|the information (?:contained )?in this) (?:e-?mail|message|communication)\b.{0,120}?"
    r"\b(?:is|are|be|contains?|contain)\b.{0,60}?\b(?:confidential|privileged|intended (?:solely|only))"
    r"|diese (?:e-?mail|nachricht)\b.{0,120}?vertraulich|est[ea] (?:correo|mensaje|e-?mail|mensagem)\b.{0,120}?"
    r"confidencia|ce(?:t e-?mail| message| courriel| mail)\b.{0,120}?confidentiel)",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(r"[ ]*p\.?[ ]?s\b", re.IGNORECASE)
_SIGNATURE_LINES = 12
_SIGNATURE_WIDTH = 80
# In one line, only what is plainly the end: an attribution with its time, a device, a sign-off with nothing but a name.
_INLINE_ENDS = (
    re.compile(
        rf"[ ](?:(?:On|Am|El|Le|Em)[ ].{{0,60}}?\d{{1,2}}[:h]\d{{2}}.{{0,100}}?[ ]{_WROTE}.{{0,60}}?:"
        r"|-{3,}[ ]?(?:Original|Forwarded) Message\b)"
    ),
    re.compile(
        rf"(?<=[\w.!?…,])[ ]{_SENT_FROM}[ ](?-i:[A-Z]|i[A-Z])\S*(?:[ ]\S+){{0,4}}\s*\Z"
        r"|[ ](?-i:Sent from my)(?:[ ]\S+){1,4}\s*\Z|[ ](?-i:Von) meinem \S+ gesendet\W*\Z",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<=[.!?…])[ ]{_GREETING}{_NAMES}[ ,.!]*\Z", re.IGNORECASE),
)

# -- chats -------------------------------------------------------------------------------------------------------------
_TIME = r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4},?[ ])?\d{1,2}:\d{2}(?::\d{2})?(?:[ ]?[ap]\.?m\.?)?"
_TURN = re.compile(
    rf"[ ]*(?P<time>[\[(]?{_TIME}[\])]?[ ]?[-–|]?[ ]?)?(?P<who>[^\n:\[]{{1,40}}?)"
    rf"(?P<after>[ ]?[\[(]{_TIME}[\])])?[ ]?:(?!//)",
    re.IGNORECASE,
)
_AGENTS = (
    r"agent|agente|advisor|representative|support|bot|chatbot|assistant|assistente?|asistente|system|operator|operador"
    r"|conseill[eè]re?|atendente|atendimento|atención|berater(?:in)?|mitarbeiter(?:in)?|care|services?|servicio|serviço"
    r"|soporte|suporte|kundenservice|kundendienst|team"
)
_AGENT = re.compile(rf"\b(?:{_AGENTS})\b", re.IGNORECASE)
_ROLES = r"customer|visitor|user|client|guest|kundin|kunde|besucher|cliente|usuario|usuário|visiteur|visitante"
_CUSTOMER = re.compile(rf"\b(?:{_ROLES})\b|\A(?:me|you|ich|yo|moi|eu)\Z", re.IGNORECASE)
_NOT_OF_A_LABEL = re.compile(  # a word in lower case that is no role: what is said has begun
    rf"(?!(?:{_AGENTS}|{_ROLES}|me|you|ich|yo|moi|eu|al|de|du|do|ao)\b)(?-i:[^\W\d_A-ZÀ-Þ])", re.IGNORECASE
)
_NO_SPEAKER = re.compile(
    r"\b(?:error|fehler|erreur|erro|code|message|note|hinweis|nota|order|bestellung|pedido|commande|status|version|device"
    r"|model|address|date|time|total|problem|problema|issue|ps|edit|update|subject|http\w*)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-ZÀ-Þ][\w.'-]*(?:[ ][A-ZÀ-Þ(][\w.')-]*){0,2}")
_SYSTEM_LINE = re.compile(
    rf"[ ]*(?:[\[(]?{_TIME}[\])]?[ ]?[-–|]?[ ]?)?[\[(*–-]*[ ]?(?:chat (?:started|ended|transcript|beendet|gestartet)"
    r"|conversation (?:started|ended)|you are now chatting with .{1,40}"
    r"|[^\n:]{1,40}? (?:has )?(?:joined|left|entered|ended) the (?:chat|conversation)"
    r"|[^\n:]{1,40}? is typing)(?:[ ]?(?:at|on|by|:|-)[ ].{1,40})?[\])*.…–-]*[ ]*",
    re.IGNORECASE,
)
_INLINE_TURN = re.compile(
    rf"[ ](?:(?=[\[(]{_TIME}[\])][ ][^\s:][^:]{{0,40}}:)"
    rf"|(?=(?-i:[A-ZÀ-Þ]))(?=(?:{_ROLES}|agente?|bot|support|conseiller|atendente)[ ]?:[ ]))",
    re.IGNORECASE,
)

# -- social ------------------------------------------------------------------------------------------------------------
_LEADING = re.compile(r"\s*(?:(?:RT[ ]@\w{1,40}:?|[.]?@\w{1,40}[:,]?)(?:\s+|\Z))+")
_MENTION = re.compile(r"@\w{1,40}")
_URL = re.compile(r"(?:https?://|www\.|\b(?:t\.co|bit\.ly|youtu\.be|pic\.twitter\.com)/)[^\s)\]]+", re.IGNORECASE)
_HASHTAG = re.compile(r"#+(?=[\d_]*[^\W\d_])(\w{2,})")  # "#100200" is an order, not a tag
_HUMP = re.compile(
    r"(?<=[a-zß-ÿ0-9][a-zß-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ][a-zß-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|_+"
)

# -- reviews and forms -------------------------------------------------------------------------------------------------
_TRANSLATION = re.compile(r"\(translated by google\)|\btranslated by google\b", re.IGNORECASE)
_ORIGINAL = re.compile(r"\(original\)", re.IGNORECASE)
_STORE = re.compile(
    r"\[this review was collected as part of a promotion\.?\]|\bfull review hidden\b|\bread more[. …]*$"
    r"|…?[ ]full review$"
    r"|^[ ]*verified purchase(?:r)?\b[ |:.-]*|[ |]verified purchase(?:r)?[ .]*$|^[ ]*edit(?:ed)?(?:[ ]\d)?[ ]?:"
    r"|^[ ]*review(?:ed)? (?:from|in|by) .{2,40}$\n|^[ ]*originally posted on .{2,40}$"
    r"|^[ ]*reviewed in (?:the )?(?-i:[A-ZÀ-Þ]\w+)(?:[ ](?-i:[A-ZÀ-Þ]\w+)){0,3} on (?:\d{1,2} \w+|\w+ \d{1,2},) \d{4}",
    re.IGNORECASE | re.MULTILINE,
)
_REPLY = re.compile(
    r"(?:\n[ ]*|(?<=[.!?…)])[ ])(?:developer'?s? response|response from (?:the )?(?:developer|owner|seller)"
    r"|antwort (?:des entwicklers|vom entwickler))\b(?:[ ]?:|[^\n]{0,40}\n|[ ]?$)",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"\bQ(?:uestion)?[ ]?:[^\n]{0,200}?(?:\?|\n)\s*A(?:nswer)?[ ]?:", re.IGNORECASE)
_PROMPT = re.compile(
    r"\s*(?:(?:reason|comments?|answer|feedback|grund|kommentar|antwort|motivo|comentarios?|comentários?|resposta"
    r"|respuesta|raison|commentaires?|réponse)[ ]?:\s*)+",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"[\s.\-–—_/?]*(?:n/?a|n\.a\.?|none|nothing|no comments?|nil|null|nichts|keine?|keine angaben?|kein kommentar"
    r"|k\.?\s?a|nada|ningun[oa]|sin comentarios|rien|aucune?|pas de commentaires?|nenhuma?"
    r"|sem comentários)?[\s.\-–—_/?!]*",
    re.IGNORECASE,
)
_REASON_CODE = re.compile(
    r"\s*[\[(]?([A-Z]{2,}(?:[_-][A-Z]{2,}){0,5}|[A-Z]{3,}(?:[ ][A-Z]{2,}){1,4})[\])]?\s*[-–—:|](?:\s|\Z)"
)
_BARE_CODE = re.compile(r"\s*[\[(]?([A-Z]{2,}(?:_[A-Z]{2,}){1,5})[\])]?\s*")


def prepare(title: str | None, text: str | None, channel: str) -> str:
    """The words that count of one piece of feedback: one clean line of at most ``MAX_CHARACTERS``.

    ``channel`` is one of ``taxonomy.CHANNELS``; others are only cleaned. Empty if title and text are, or if an answer
    on a form (nps, return) says nothing. Any text whatever is valid.
    """
    # Cleaned first, line by line: French puts a no-break space before a colon, exports of chats an invisible mark.
    lines = unicodedata.normalize("NFKC", (text or "")[:_KEPT]).replace("\r\n", "\n").replace("\r", "\n")
    body = "\n".join(clean(line) for line in lines.split("\n"))
    stripped = _STRIP.get(channel, _as_it_is)(body)
    if channel in ("nps", "return"):
        title = "" if _PLACEHOLDER.fullmatch(clean(title or "")) else title
        if _PLACEHOLDER.fullmatch(clean(stripped)):
            return clean(title or "")
    return clean(join(title, stripped if _has_words(stripped) else body))


def _has_words(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _as_it_is(text: str) -> str:
    return text


def _ticket(text: str) -> str:
    lines = _without_quotes(text.split("\n"))
    lines = [line for line in _without_disclaimers(lines) if line.strip() and not _SENT_FROM_LINE.fullmatch(line)]
    own = "\n".join(_without_signature(lines))
    for end in _INLINE_ENDS:
        found = end.search(own)
        if found and _has_words(own[: found.start()]):
            own = own[: found.start()]
    return own


def _without_quotes(lines: list[str]) -> list[str]:
    """The lines before what somebody else wrote, and those between quotes, where people answer below them."""
    kept: list[str] = []
    number = 0
    while number < len(lines):
        length = _attribution(lines, number)
        if length:
            following = next((line for line in lines[number + length :] if line.strip()), "")
            if not following.lstrip().startswith(">"):
                break
        if not length and _is_header(lines, number):
            if _has_words("".join(kept)):
                break
            while number + length < len(lines) and _HEADER.match(lines[number + length]):
                length += 1
        if not length and not lines[number].lstrip().startswith(">"):
            kept.append(lines[number])
        number += max(1, length)
    return kept


def _attribution(lines: list[str], number: int) -> int:
    """How many lines from here say that somebody else is quoted: none, one, or two where a mail program broke it."""
    if _ATTRIBUTION.fullmatch(lines[number]):
        return 1
    two = " ".join(lines[number : number + 2])
    return 2 if len(two) < 300 and "\n" not in two and number + 1 < len(lines) and _ATTRIBUTION.fullmatch(two) else 0


def _is_header(lines: list[str], number: int) -> bool:
    """A sender and another line of a mail's header, one after the other, begin what was forwarded."""
    return (
        number + 1 < len(lines)
        and _HEADER_START.match(lines[number]) is not None
        and _HEADER.match(lines[number + 1]) is not None
    )


def _without_disclaimers(lines: list[str]) -> list[str]:
    """A disclaimer goes from its first sentence to the end of its paragraph."""
    kept: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        inside = inside and bool(line.strip())
        found = None if inside else _DISCLAIMER.search(" ".join(lines[number : number + 3]))
        if found and found.start() < max(1, len(line)):
            kept.append(line[: found.start()])
            inside = True
        elif not inside:
            kept.append(line)
    return kept


def _without_signature(lines: list[str]) -> list[str]:
    """The lines before a sign-off or a delimiter near the end, and a postscript after it."""
    for number in range(max(1, len(lines) - _SIGNATURE_LINES), len(lines)):
        line, after = lines[number], lines[number + 1 :]
        delimiter = line.rstrip() in ("--", "—")
        short = _SHORT_SIGN_OFF.fullmatch(line) and after and _NAME.fullmatch(after[0].strip())
        if (delimiter or short or _SIGN_OFF.fullmatch(line)) and _has_words("".join(lines[:number])):
            postscript = next((index for index, one in enumerate(after) if _POSTSCRIPT.match(one)), len(after))
            if all(len(one) <= _SIGNATURE_WIDTH * (1 + delimiter) for one in after[:postscript]):
                return lines[:number] + after[postscript:]
    return lines


def _chat(text: str) -> str:
    lines = _turns_apart(text).split("\n")
    labels = Counter(found["who"] for found in map(_TURN.match, lines) if found)
    turns: list[tuple[str, str]] = []  # who (customer, agent or unknown), and what
    for line in lines:
        if _SYSTEM_LINE.fullmatch(line):
            continue
        turn = _TURN.match(line)
        who = _role(turn, labels) if turn else ""
        if turn and who in ("customer", "agent"):
            turns.append((who, line[turn.end() :]))
        else:
            turns.append((who or (turns[-1][0] if turns else "unknown"), line))
    said = Counter(who for who, what in turns if _has_words(what))
    if not said["customer"] and said["agent"] < 2:  # one line that begins like an agent's is no transcript
        return "\n".join(line for line in lines if not _SYSTEM_LINE.fullmatch(line))
    heard = "customer" if said["customer"] else "unknown"
    return "\n".join(what for who, what in turns if who == heard)


def _turns_apart(text: str) -> str:
    """A transcript in one line, broken before each speaker; a text that does not begin with one is no transcript."""
    if "\n" in text.strip() or not _INLINE_TURN.match(" " + text.lstrip()):
        return text
    return _INLINE_TURN.sub("\n", text)


def _role(turn: re.Match[str], labels: Counter[str]) -> str:
    """Whose turn it is; empty where the words before the colon belong to what is being said."""
    who = turn["who"].strip("*_ ")
    if _NO_SPEAKER.search(who):
        return ""
    if not any(_NOT_OF_A_LABEL.match(word.strip("()[]")) for word in who.split()):
        if _AGENT.search(who):  # first: "Customer Service" is no customer
            return "agent"
        if _CUSTOMER.search(who):
            return "customer"
    if turn["time"] or turn["after"]:
        return "unknown"
    return "unknown" if _NAME.fullmatch(who) and (labels[turn["who"]] > 1 or " " not in who) else ""


def _social(text: str) -> str:
    without = _URL.sub(" ", text)
    leading = _LEADING.match(without)
    without = without[leading.end() :] if leading else without
    return _HASHTAG.sub(_words_of_tag, without) if _has_words(_MENTION.sub("", without)) else text


def _words_of_tag(tag: re.Match[str]) -> str:
    glued = tag.start() > 0 and tag.string[tag.start() - 1].isalnum()  # "#AppCrash#NoSound"
    return " " * glued + _HUMP.sub(" ", tag[1]).strip()


def _review(text: str) -> str:
    translation = _TRANSLATION.search(text)
    if translation:
        before, after = text[: translation.start()], text[translation.end() :]
        original = _ORIGINAL.search(after)
        if original:  # the customer's own language
            text = f"{before} {after[original.end() :]}"
        else:
            text = before if _has_words(_ORIGINAL.sub("", before)) else after
        text = _ORIGINAL.sub(" ", text)
    return _STORE.sub(" ", _REPLY.split(text, maxsplit=1)[0])


def _form(text: str) -> str:
    answer = _QUESTION.sub(" ", text)
    prompt = _PROMPT.match(answer)
    return answer[prompt.end() :] if prompt else answer


def _return(text: str) -> str:
    answer = _form(text)
    code = _REASON_CODE.match(answer) or _BARE_CODE.fullmatch(answer)
    if not code:
        return answer
    return re.sub(r"[_-]", " ", code.group(1)).lower() + ". " + answer[code.end() :]


_STRIP: dict[str, Callable[[str], str]] = {
    "support_ticket": _ticket,
    "chat": _chat,
    "social": _social,
    "app_review": _review,
    "product_review": _review,
    "nps": _form,
    "return": _return,
}
