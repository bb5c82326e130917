"""The words of a post worth counting. What lives here: stop words and the choice of terms.

What does not: counting over time and against a brand's usual talk; the core does that with the
terms it finds on each verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sentinel.language.text import clean, tokenize, words

MAX_TERMS = 12
"""Terms of one post."""

MAX_TERM_CHARS = 40
"""Characters of one term; longer words are no words."""

_MIN_WORD = 3

STOP_WORDS: Final[dict[str, frozenset[str]]] = {
    "it": words(
        """
        abbia abbiamo abbiano adesso agli ai al alcuni alla alle allo allora altra altre altri altro anche ancora anni anno
        appena attraverso avendo avere avete aveva avevano avevo avrei avrebbe avuto bene ben caro casa che chi ci ciao ciò cioè
        circa coi col come con contro cosa cose così cui dagli dai dal dall dalla dalle dallo davvero degli dei del dell della
        delle dello dentro devo deve devono di dice dire detto dopo dove dovrebbe due ecco ed ella era erano ero essere fa faccio
        fai fanno far fare fatto fino fosse fra fuori già giorni giorno gli grazie ha hai hanno ho il in infatti insieme invece io
        la le lei li lo loro lui ma mai me meglio meno mentre mi mia mie miei mio molta molte molti molto ne negli nei nel nell
        nella nelle nello no noi non nostra nostre nostri nostro nulla nuova nuovo ogni ok oggi ora ore ormai per perché perche
        perchè però più piu poco poi possiamo posso possono prima proprio può puo pure qua qual quale quali qualche qualcosa
        qualcuno quando quanta quanti quanto quasi quella quelle quelli quello quel quest questa queste questi questo qui quindi sa
        sai sapere se sei sempre sembra senza sono solo sopra sotto sta stai stanno stare stata state stati stato stessa stesso
        stiamo sto su sua sue sugli sui sul sull sulla sulle suo suoi tanta tante tanti tanto te ti tra troppo tu tua tue tuo tuoi
        tutta tutte tutti tutto tuttavia un una uno va vai vado vedere verso vi via voglio vogliamo voi volta volte vorrei vostra
        vostre vostri vostro cmq nn xké xche xchè qnd qst tt pero anzi magari forse certo soltanto sia siamo siano siete fate dici
        dico ieri domani stasera stamattina mattina sera notte mesi mese settimana settimane persone gente parte modo tipo
        """
    ),
    "en": words(
        """
        a about above after again all almost already also although always am an and another any anyone anything are aren't around
        as ask at away back be because been before being between both but by came can can't cannot come could couldn't day days did
        didn't do does doesn't doing don't done down during each either else even ever every everyone everything few first for from
        get gets getting give go goes going gone gonna got gotta guys had hadn't has hasn't have haven't having he her here hers
        herself him himself his how however i if im i'm in into is isn't it its itself i've i'll i'd just keep kind know last least
        less let like little look lot made make makes many may maybe me mean might mine more most much must my myself need never new
        next no nor not nothing now of off oh ok okay on once one only or other others our ours out over own people per please put
        rather re really right rt said same saw say says see seems seen she should shouldn't since so some someone something still
        such sure take tell than that that's the their theirs them themselves then there there's these they thing things think this
        those though thought through time times to today together told tomorrow tonight too took two under until up us use used
        very via wait wanna want wants was wasn't way we week well went were weren't what what's when where whether which while who
        whole whom whose why will with within without won't would wouldn't yeah year years yes yesterday yet you you're your yours
        yourself u ur dont cant thats hey ya amp
        """
    ),
}
"""Words that every post has; not worth counting."""

_ALL_STOP_WORDS = STOP_WORDS["it"] | STOP_WORDS["en"]
_PLACEHOLDERS = frozenset({"@user", "@url", "http", "https", "rt", "via"})


def term_of(token: str, language: str) -> str:
    """The countable form of one token, or an empty string.

    >>> term_of("#BoicottaAurora", "it"), term_of("della", "it"), term_of("l'azienda", "it")
    ('#boicottaaurora', '', 'azienda')
    """
    word = token.lower()
    if len(word) > MAX_TERM_CHARS or word in _PLACEHOLDERS:
        return ""
    if word[0] in "#@":
        return word if len(word) >= _MIN_WORD and not word[1:].isdigit() else ""
    stop = STOP_WORDS.get(language, _ALL_STOP_WORDS)
    if not word[0].isalpha() or word in stop:
        return ""
    if "'" in word:
        head, _, tail = word.rpartition("'")
        word = (head if len(tail) < _MIN_WORD else tail).rpartition("'")[2]
    useless = len(word) < _MIN_WORD or word in stop or word.startswith(("http", "www"))
    return "" if useless else word


def terms(text: str, language: str) -> list[str]:
    """Words, hashtags and handles of a text worth counting: each once, at most `MAX_TERMS`.

    Lower-cased and free of invisible characters; hashtags and handles come first and stay whole.

    Args:
        text: Any text.
        language: ISO 639-1 code whose stop words are left out; for an unknown one, those of both.

    >>> terms("Che vergogna @aurora: basta! #BoicottaAurora", "it")
    ['@aurora', '#boicottaaurora', 'vergogna', 'basta']
    """
    return choose(term_of(token, language) for token in tokenize(clean(text)))


def choose(candidates: Iterable[str]) -> list[str]:
    """Tags before words, each once, at most `MAX_TERMS`, from countable forms in reading order."""
    found = [term for term in dict.fromkeys(candidates) if term]
    found.sort(key=_is_word)
    return found[:MAX_TERMS]


def _is_word(term: str) -> bool:
    return term[0] not in "#@"
