"""Credentials in free text: API tokens by their format, private keys, and passwords or PINs that a person states.

Tokens are found by the prefixes that their issuers document (AWS, GitHub, GitLab, Google, Slack, Stripe, npm, PyPI and
more), by the shape of a JSON Web Token, or by the header of a PEM key. A stated password ("my password is hunter2") is
found by the word before it, in the five languages of the masking; "the password is wrong" states none.
"""

from __future__ import annotations

import re

_TOKENS = re.compile(
    r"""
      -----BEGIN[ ][A-Z0-9 ]{0,40}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
          (?:(?!-----END).){0,20000}(?:-----END[ ][A-Z0-9 ]{0,40}-----)?
    | (?<![A-Za-z0-9])eyJ[\w-]{4,}(?:\.[\w-]{4,}){0,4}                    # JSON Web Token, also cut
    | (?<![A-Za-z0-9])(?:A3T[A-Z0-9]|AKIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ASIA)[A-Z0-9]{12,}   # AWS
    | (?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_)\w{10,}
    | (?<![A-Za-z0-9])gl(?:pat|dt|rt|cbt|ptt|ft|agent|soat|imt)-[\w-]{10,}
    | (?<![A-Za-z0-9])xox[a-z](?:\.xox[a-z])?-[\w-]{8,} | (?<![A-Za-z0-9])xapp-[\w-]{10,}      # Slack
    | hooks\.slack\.com/(?:services|workflows)/[\w/]{10,}
    | discord(?:app)?\.com/api/webhooks/[\w/-]{10,}
    | (?<![A-Za-z0-9])AIza[\w-]{20,} | (?<![A-Za-z0-9])ya29\.[\w-]{10,} | (?<![A-Za-z0-9])GOCSPX-[\w-]{10,}
    | (?<![A-Za-z0-9])(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{10,}
    | (?<![A-Za-z0-9])whsec_[A-Za-z0-9+/=]{10,}
    | (?<![A-Za-z0-9])sk-(?:proj-|ant-|or-)?[\w-]*\d[\w-]{10,}
    | (?<![A-Za-z0-9])(?:npm_|pypi-|dop_v1_|doo_v1_|hf_|shpat_|shpss_|lin_api_|dapi|PMAK-|ATATT3|glsa_|dckr_pat_)
          [\w=-]{16,}
    | (?<![A-Za-z0-9])SG\.[\w-]{10,}\.[\w-]{10,}                         # SendGrid
    | (?<!\d)\d{8,10}:AA[\w-]{30,}                                      # Telegram
    | (?i:\b(?:AccountKey|SharedAccessKey)=)[A-Za-z0-9+/=]{16,}          # Azure
    """,
    re.VERBOSE | re.DOTALL,
)

_AUTHORIZATION = re.compile(
    r"""(\b(?:proxy-)?authorization\\?["']{0,2}\s{0,3}[:=,]\s{0,3}(?:b(?=["']))?\\?["']{0,2})"""
    r"""(?:(?:digest|aws4-hmac-sha256|hawk)\s[^\n"'<>]+"""
    r"""|((?:bearer|basic|token|apikey|geniekey|key|sso-key|negotiate|ntlm)\s{1,3})?[^\s"'<>,;\\]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"""(\b(?:bearer|basic)\s{1,3})(?=[^\s"'<>]{0,200}[\d=_.+/])(?=[^\s"'<>]{8})[^\s"'<>,;\\]+""", re.IGNORECASE
)

_WORDS = (
    r"(?:pass[ -]?(?:word|wd|phrase|code)|(?:my|the)[ ]pass|pwd|pw|passwort|kennwort|zugangscode|contrase(?:ñ|n)a|clave"
    r"|mot[ ]de[ ]passe|mdp|senha|palavra[ -]passe|api[ _-]?key|access[ _-]?key|secret(?:[ _-]?(?:access[ _-]?)?key)?"
    r"|client[ _-]?secret|access[ _-]?token|auth[ _-]?token|api[ _-]?token)"
)
_OF_ACCOUNT = r"(?:[ ](?:for|of|to|on|für|de|para|do|da|del)[ ](?:\w+[ ]){0,2}?\w+)?"
_IS = r"(?:is(?:[ ](?:now|still|set[ ]to))?|was|ist|war|lautet|es|era|est|était|é|=|:|->)"
_PLAIN = (  # what a password is said to be when none is stated
    r"(?!(?:not|no|now|never|always|also|still|too|very|so|just|only|already|being|been|wrong|incorrect|invalid|correct|right"
    r"|fine|ok|okay|good|bad|weak|strong|short|long|old|new|the|a|an|my|your|our|in|on|at|to|for|of|and|or|but|that|what"
    r"|this|it|required|needed|asked|expired|reset|changed|lost|gone|forgotten|rejected|refused|accepted|unknown|empty"
    r"|blocked|locked|broken|missing|working|saved|stored|sent|shown|visible|hidden|case|impossible|useless|different"
    r"|same|nicht|kein\w*|falsch|richtig|ungültig|abgelaufen|vergessen|weg|immer|auch|zu|das|der|die|ein\w*|mein\w*|korrekt"
    r"|incorrect[ao]?|correct[ao]|inválid[ao]|equivocad[ao]|no|mal|muy|la|el|que|mi|siempre|expirad[ao]|caducad[ao]"
    r"|oublié|faux|fausse|incorrecte?|invalide|expiré|pas|bon|bonne|le|les|un|une|mon|toujours|refusé|não|errad[ao]"
    r"|cert[ao]|muito|uma|minha|sempre|when|if|because|after|before|since|while|until|field|page|screen|link|email|reset"
    r"|manager|box|button|option|error|change|recovery|requirements?|rules?|policy|protected|less)\b)"
)
_STATED = (
    # a sign, or quotation marks: whatever stands there
    re.compile(
        rf"""(\b{_WORDS}{_OF_ACCOUNT}(?:[ ](?:is|ist|lautet|es|est|é))?[ ]?(?:=|:|->)[ ]{{0,3}})"""
        rf"""{_PLAIN}["'«“„`]?[^\s"'»”“`,;]{{3,}}""",
        re.IGNORECASE,
    ),
    re.compile(rf"""(\b{_WORDS}{_OF_ACCOUNT}[ ]{_IS}?[ ]?)["'«“„`]{_PLAIN}[^\s"'»”“`]{{3,}}["'»”“`]""", re.IGNORECASE),
    # in a sentence: what has a digit or a sign within, or ends the sentence
    re.compile(
        rf"""(\b{_WORDS}{_OF_ACCOUNT}[ ]{_IS}[ ]){_PLAIN}(?:(?=[^\s,;]*[\d!@#$%&*_?+^~][^\s,;])|(?=[^\s,;]*\d))"""
        r"""[^\s,;]{3,}""",
        re.IGNORECASE,
    ),
    re.compile(
        rf"""(\b(?:my|mein|mi|mon|meu|minha)[ ]{_WORDS}{_OF_ACCOUNT}[ ]{_IS}[ ]){_PLAIN}"""
        r"""[\w-]{5,}(?=[ ]?(?:[.!,;]|\Z|\n|and\b|und\b|y\b|et\b|e\b))""",
        re.IGNORECASE,
    ),
    re.compile(rf"(\b{_WORDS}[ ])(?=[^\s,;]*[A-Za-z])(?=[^\s,;]*\d)(?!\[)[^\s,;]{{6,}}", re.IGNORECASE),
)
_PIN = re.compile(
    r"(\b(?:pin(?:[ -]?(?:code|number|nummer))?|cvv2?|cvc2?|csc|(?-i:TAN)|otp|one[ -]time[ ](?:code|password)"
    r"|(?:security|verification|sms|login|2fa)[ -]code|sicherheitscode|prüfnummer|geheimzahl|código[ ]de[ ]seguridad"
    r"|code[ ](?:secret|de[ ]sécurité)|código[ ]de[ ]segurança)"
    rf"(?:[ ](?:code|number|for|of|my|card|the|to)){{0,4}}[ ]?{_IS}?[ ]?[#\"']?)"
    r"\d(?:[ -]?\d){2,7}(?![\d.,]?\d)(?!\w)"
    r"(?![ ](?:times|digits?|mal|stellig\w*|veces|fois|vezes|attempts?|tries|minutes?))",
    re.IGNORECASE,
)


def hide(text: str, mark: str = "[secret]") -> str:
    """The text with the mark in place of every credential, whether by its format or because it is stated as one."""
    hidden = hide_tokens(text, mark)
    for stated in _STATED:
        hidden = stated.sub(rf"\1{mark}", hidden)
    return _PIN.sub(rf"\1{mark}", hidden)


def hide_tokens(text: str, mark: str = "[secret]") -> str:
    """The text without tokens and keys that show by their format, and without what follows ``Authorization:``."""
    named = _AUTHORIZATION.sub(lambda found: f"{found[1]}{found[2] or ''}{mark}", _TOKENS.sub(mark, text))
    return _BEARER.sub(rf"\1{mark}", named)
