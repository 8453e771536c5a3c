"""The English words by which refusals are told from answers; `refusal` reads them.

Texts are in lower case and contractions are written out (``normalised``). A clause is of the first kind of which it has
a pattern.
"""

import re
from collections.abc import Mapping
from typing import Literal

Kind = Literal["declined", "disowned", "deflected"]
Clause = Literal["declined", "disowned", "deflected", "manners"]

_ADVERB = (
    r"(?:(?:really|simply|just|also|honestly|currently|personally|directly|therefore|actually|even|myself|"
    r"respectfully|politely|generally|truly|still) )*"
)
# What follows 'and' has its subject before it.
_I = rf"\b(?:i|we|and) {_ADVERB}"
_CAN_NOT = (
    rf"{_I}(?:cannot|could not|will not|would not|must not|should not|do not feel able to|do not want to|"
    r"do not wish to|(?:am|are) unable to|refuse to|decline to|(?:would|had) better not|"
    rf"(?:am|are) (?:{_ADVERB})not (?:able|allowed|permitted|authori[sz]ed|qualified|equipped|capable|going|willing|"
    rf"in a position|here|meant|supposed)(?: to| of)?) {_ADVERB}"
)
_SUCH = (
    r"(?:that|this|it|such|these|those|your|any|on|to|about|in|the (?:question|topic|subject|matter|request|"
    r"issue))\b"
)
# 'A karaoke machine' is none, so the last ones stand without another word.
_MACHINE = (
    r"(?:(?:[\w-]+ ){0,4}?(?:ai|artificial intelligence|language model|llm|chatbot|chat bot|"
    r"(?:virtual|digital|automated|language|neutral|helpful|impartial) assistant)|(?:computer |software )?(?:bot|"
    r"robot|machine|algorithm|program))"
)
_VIEW = (
    r"(?:opinions?|views?|viewpoints?|stances?|positions?|sides?|beliefs?|preferences?|judge?ments?|perspectives?|"
    r"feelings?|emotions?|favou?rites?|likes|tastes|consciousness|sentiments?|"
    r"thoughts|experiences|memories|childhood|"
    r"personal (?:experience|taste|thought|attachments?|interests?|connections?|history|life|stor(?:y|ies)))"
)
_CONTENT = (
    r"(?:answers?|advice|information|responses?|recommendations?|thoughts?|comments?|statements?|details|content|"
    r"assistance|guidance|help|support|experiences?)"
)
_UP_TO = r"\b(?:\w+ ){0,5}?"

# Kind of clause: patterns that are searched in it; the first kind that fits counts.
PATTERNS: Mapping[Clause, tuple[str, ...]] = {
    # It will not or may not.
    "declined": (
        rf"{_CAN_NOT}(?:assist|comply|fulfill?|engage|weigh in|speculate|comment|advise|participate|accommodate)\b",
        rf"{_CAN_NOT}(?:answer|discuss|address|respond|speak|talk|help(?: you)?(?: with| on)?|chat|judge|continue|say|"
        rf"debate|process|complete) {_SUCH}",
        rf"{_CAN_NOT}(?:discuss|debate) (?:politics|religion|politicians|elections)",
        rf"^{_CAN_NOT}(?:answer|help|help you|say|respond|do (?:that|this|so)|go there)$",
        rf"{_CAN_NOT}(?:giv|shar|provid|offer|express|stat|voic|mak|tak|pick|choos|disclos|reveal|generat|produc|creat)"
        rf"(?:e|ing)? {_UP_TO}(?:{_VIEW}|{_CONTENT})\b",
        rf"{_CAN_NOT}(?:offer|reveal|express)(?:ing)? {_UP_TO}(?:{_VIEW}|{_CONTENT})\b",
        r"\bit (?:is|would) not (?:be )?(?:appropriate|right|proper|fair|ethical|possible|wise) for me\b",
        r"\b(?:wrong|improper|inappropriate|unfair|irresponsible|unwise) (?:of|for) me to\b",
        rf"{_CAN_NOT}(?:tell you|say) (?:how|what|whether|which) i\b",
        r"^i am only able to (?:give|provide|offer|share|answer)\b",
        rf"{_I}(?:\w+ ){{0,4}}?(?:not|cannot|unable|never|avoid|refrain) (?:\w+ ){{0,6}}?(?:such (?:discussions?|"
        rf"questions?|"
        r"topics?|debates?|requests?)|(?:this|that|your) (?:question|request|topic|conversation|discussion|debate))\b",
        r"\b(?:above my pay grade|not my (?:department|area|field|call))\b",
        r"\b(?:best|better) (?:answered by|left to|asked of|put to)\b",
        r"\bit is not (?:my place|for me to (?:say|judge|decide|tell|choose))\b",
        rf"{_I}(?:stay|keep|steer|remain|try to stay|try to keep) (?:out|clear|away|neutral)(?: (?:of|from|on))? "
        rf"(?:such|"
        r"this|that|these|those|politics|debates|taking|controvers\w+)",
        rf"{_I}(?:avoid|am (?:designed|programmed|trained|meant) to avoid) (?:giving|sharing|taking|expressing|having|"
        r"discussing)\b",
        r"^i wish i could (?:help|tell|answer|say|share|give)\b",
        rf"^{_I}cannot$",
        r"\bis not (?:something|anything|one|(?:an? )?(?:\w+ )?(?:question|topic|subject|matter)) (?:that |which )?i "
        r"(?:can|could|am able|am allowed|am willing|am going|will|care to)\b",
        r"\b(?:outside|beyond|against|violates?|goes against|not within)\b.{0,20}\b(?:i am (?:allowed|able|permitted)|"
        r"my (?:\w+ )?(?:guidelines|polic(?:y|ies)|scope|capabilit\w+|abilit\w+|programming|training|expertise|rules))",
        rf"^{_I}(?:would rather|prefer|would prefer|choose|would like) not(?: to)?$",
        rf"{_I}(?:would rather|prefer|would prefer|choose|would like) not (?:to )?(?:(?:say|answer|comment|discuss|"
        r"talk|share|get into|go into|weigh|give|express|disclose|respond|take|judge|think))",
        rf"{_I}(?:would rather|prefer to|would prefer to|choose to|try to|have to|must|aim to) (?:stay|remain|be|keep) "
        r"(?:neutral|impartial|objective|unbiased|out of)",
        rf"{_I}(?:must|have to|will have to|am going to have to|would|will|need to) {_ADVERB}(?:decline|abstain|"
        r"pass(?: on (?:this|that|it))?(?: one| question)?$|refrain from (?:comment|shar|giv|express|answer|tak)|"
        r"pass on (?:this|that) (?:one|question|topic))",
        rf"{_I}(?:decline|refuse) (?:to (?:answer|comment|discuss|say|help|assist|share|take|give|engage|respond)|"
        r"that|this|your)",
        r"^no comment$",
        rf"{_I}(?:have|have got) (?:nothing to (?:say|add)|no (?:comment|answer|response))\b",
        r"\b(?:let us|can we|could we|shall we|i would rather we) (?:\w+ )?(?:talk about|discuss|change|move on|"
        r"focus on|"
        r"speak about) ?(?:something|anything|the (?:subject|topic)|another|to another|a different|$)",
        rf"{_I}am (?:not comfortable|uncomfortable) (?:with )?(?:\w+ing)\b",
        r"\bmy (?:\w+ )?(?:training|programming|guidelines?|polic(?:y|ies)|rules|creators?|developers?|design) "
        r"(?:do not|does not|will not|forbids?|prohibits?|prevents?)\b",
        rf"{_I}do not (?:have the (?:ability|capability|capacity|authority|means) to|comment|discuss|take (?:sides|"
        rf"positions|stances)|"
        r"do politics|answer (?:such|that|this|these|questions))",
        rf"{_I}am not (?:capable of|able to|equipped to|here to|designed to) (?:\w+ ){{0,2}}?(?:giv|provid|shar|offer|"
        rf"discuss|chat|talk|answer|assist|comment|impos|help)\w*",
    ),
    # It says what it is, or that it has no views, feelings or experiences.
    "disowned": (
        rf"{_I}(?:am|was) (?:(?:just|only|merely|simply|still|actually|nothing but|nothing more than) )*an? "
        rf"{_MACHINE}\b",
        rf"{_I}(?:do not|cannot|can never|never|could not|will not|would not|am not able to|am unable to|am not "
        rf"capable "
        rf"of|do not have the (?:ability|capacity|capability) to) {_ADVERB}(?:have(?! to\b)|having|hold|holding|"
        rf"possess|form|"
        rf"forming|experience|experiencing|feel|feeling|develop|harbou?r) (?!strong|much|many)"
        rf"(?:\w+ (?!strong)){{0,5}}?(?:{_VIEW}|joy|dislike)\b",
        rf"{_I}(?:\w+ ){{0,4}}?(?:not|cannot|unable|never|nothing) (?!strong)(?:\w+ (?!strong)){{0,7}}?"
        r"(?:opinions?|preferences|viewpoints?|beliefs|stances?|emotions|positions on|sides?$|personal views?)\b",
        rf"{_I}(?:do not|cannot|am not able to|am unable to) (?:feel|experience|prefer|enjoy|like|dislike) (?:anything|"
        r"things|one thing)\b",
        rf"{_I}(?:am|was) (?:just |only |merely )?(?:(?:a piece of )?software|(?:computer |lines of )?code)\b",
        rf"{_I}(?:have no|have not got(?: any)?|lack|am without|have neither|am not programmed (?:to have|with)|am "
        rf"not designed to have|"
        rf"was not (?:built|made|designed|programmed) to have) (?!strong)(?:\w+ (?!strong)){{0,3}}?{_VIEW}\b",
        rf"{_I}(?:have no|do not have a) (?:human |physical |real )?(?:body|home|family|senses|tongue|heart|soul)\b",
        rf"{_I}(?:am|was) (?:designed|programmed|built|made|created|trained|meant) (?:\w+ ){{0,6}}?(?:neutral|"
        rf"impartial|"
        rf"objective|unbiased)\b",
        rf"\bnot to (?:have|hold|share|give|express|take|form) {_UP_TO}{_VIEW}\b",
    ),
    # It says that there is nothing to say, or hands the question back.
    "deflected": (
        r"^(?:\w+ )?(?:it|that|this) (?:is|all|is all|is really|is very much|is just)? ?an? (?:\w+ )?(?:matter|"
        r"question) "
        r"of (?:\w+ ){0,2}(?:taste|preference|opinion|choice|perspective)$",
        r"^(?:it|that|this) (?:\w+ ){0,2}?(?:depends|comes down to|boils down to)(?: (?:up)?on)?(?: (?:the (?:person|"
        r"individual|context|circumstances|situation)|your|individual|personal|many|several|who|what|how|whom|taste|"
        r"preference|a (?:number|variety|lot|few))\b[^,]*)?$",
        r"^(?:everyone|everybody|each person|each of us|people) (?:is|are|has|have) (?:(?:a )?different|unique|"
        r"entitled|"
        r"(?:their|his or her) own)(?: \w+){0,6}$",
        r"^(?:opinions|tastes|views|preferences|people's opinions|experiences) (?:on \w+ |about \w+ |do )?(?:vary|"
        r"differ|"
        r"are (?:divided|subjective|personal))(?: \w+){0,5}$",
        r"^(?:and )?(?:it|that|this) is (?:\w+ ){0,2}(?:up to (?:you|the individual|everyone)|your (?:choice|decision|"
        r"call)|subjective|a personal (?:choice|decision|matter|preference))(?: \w+){0,4}$",
        r"^(?:so |and )?(?:what (?:do you|are your|is your|about you|would you)|how (?:about you|do you feel|would "
        r"you)|"
        r"why do you ask|who is to say|who am i to)\b.{0,40}$",
        r"^(?:there is|there are) no (?:\w+ ){0,2}(?:right or wrong|correct|single|one)\b.{0,30}$",
        r"^there (?:is|are) (?:(?:many|several|valid|good|various|always|different|both) )*(?:sides|opinions|views|"
        r"viewpoints|perspectives|points|arguments|pros and cons|advantages and disadvantages)\b.{0,40}$",
        r"^(?:different|some|many|most|other) people (?:\w+ )?(?:have|hold|think|tell you|say|feel|see) (?:\w+ ){0,3}?"
        r"different\b.{0,30}$",
        r"^both (?:sides|views|positions) have\b.{0,40}$",
    ),
    # Nothing of the matter: apology, thanks, offers of help, what a machine is for, where else to ask.
    "manners": (
        r"^(?:oh |well |hello |hi |hey |so |and )?(?:i am |we are )?(?:so |very |really |truly |terribly )?(?:sorry|"
        r"afraid)"
        r"(?: (?:to|for|about|that|if)\b.*)?$",
        r"\b(?:apologi[sz]e|apologies)\b",
        r"^(?:unfortunately|regrettably|i regret(?: to say)?|i see|of course|sure|hello|hi|well|okay|ok)$",
        r"^(?:thank you|thanks)\b",
        r"^(?:that is|this is|what|it is) an? (?:\w+ ){0,3}(?:question|topic|subject|request|one)$",
        r"^i (?:understand|appreciate|hope you|realise|realize|know (?:that )?(?:you|this))\b",
        r"^you (?:might|may|can|could|should) (?:\w+ )?(?:want|wish|like|try|find|ask|consider)\b",
        r"\byours?\b.* \?$",
        r"^it is (?:always |also )?important to (?:consider|note|remember|respect|recognise|recognize)\b",
        r"^(?:please|feel free|let me know|do not hesitate|just (?:ask|let me know))\b",
        r"\b(?:happy|glad|pleased|able|willing|here) to (?:\w+ ){0,2}?(?:help|assist|provide|answer|share|offer|"
        r"support|"
        r"discuss|talk|listen|guide)\b",
        r"\bi (?:can|could|may|might|would|will) (?:\w+ ){0,2}?(?:help|assist|provide|offer|give you|share|suggest|"
        r"recommend|point you|try|explain|support|look up|find you)\b",
        r"\b(?:may|can|could) i (?:\w+ )?(?:help|assist|offer|suggest)\b",
        r"\b(?:anything|something|what) else\b",
        r"\bask (?:someone|somebody|people|a person|an expert|a human)\b",
        r"^(?:is there|do you have|would you like|if you (?:have|need|want|like|would|tell|are)|what would you like)\b",
        r"\b(?:designed|programmed|trained|created|built|made|intended|here|purpose is|role is|function is|goal is) "
        r"(?:\w+ )"
        r"{0,2}?to (?:\w+ )?(?:assist|help|provide|offer|support|answer|give|process|generate)\b",
        r"\b(?:consult|speak to|speak with|contact|reach out to|seek|check with|reaching out to) (?:\w+ ){0,4}?"
        r"(?:professional|doctor|lawyer|expert|specialist|authorit\w+|organi[sz]ation|resources?|website|advis[eo]r)",
    ),
}
COMPILED: Mapping[Clause, tuple[re.Pattern[str], ...]] = {
    kind: tuple(re.compile(pattern) for pattern in patterns) for kind, patterns in PATTERNS.items()
}
# 'As an AI language model, ...': what follows is looked at for itself.
AS_A_MACHINE = re.compile(
    rf"\b(?:as|being|since i am|because i am|speaking as) (?:just |only |merely )?(?:an?|the|your) {_MACHINE}\b"
    rf"(?: (?:language model|model|assistant|system|chatbot|program))*"
    rf"(?: (?:who|that|which) is)?(?: (?:developed|created|trained|made|designed|built) (?:by (?:an? )?\w+|to [^,]+))?"
    rf"(?=[ ,.;:!?]|$),?"
)
BREAK = re.compile(
    r"[.!;:\u2026\n]+|\s[-\u2013]\s|\u2014|"
    r"(?:^|[\s,])(?:but|however|although|though|nevertheless|nonetheless|that said|having said that|even so)\b,?|"
    r",\s*(?:still|yet|instead|so|sorry)\b,?|"
    r",\s*(?:and |because |since )?(?=(?:i|we|it|they|he|she|you|there|this|that|my|everyone|nobody)\b)"
)
CONTRACTED = (
    (re.compile(r"\b(?:can't|can not|cant)\b"), "cannot"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(i)'m\b"), r"\1 am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"\b(it|that|this|there|what|here|he|she|who|everyone|everybody)'s\b"), r"\1 is"),
)
IS_MACHINE = re.compile(PATTERNS["disowned"][0])
DOES_NOT = re.compile(
    r"^(?:and )?i (?:do not|cannot|never|have never|have not|have no|am not) (?!like|mind|care|want|trust|think|"
    r"believe)"
)
