"""The contractions whose missing apostrophes the official evaluation of VQA puts back."""

from __future__ import annotations

from collections.abc import Iterator

_TARGETS = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've
    he's how'd how'll how's isn't it'd it'd've it'll let's ma'am mightn't mightn't've might've mustn't must've needn't
    not've o'clock oughtn't shan't she'd've she's should've shouldn't shouldn't've somebody'd've somebody'll somebody's
    someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've
    there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
    what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
    wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""

_WORDS_OF_THEIR_OWN = frozenset({"let's", "she's"})
"""Targets whose plain spelling the official table leaves alone."""


def _spellings(word: str) -> Iterator[str]:
    """The word with one of its apostrophes missing, each in turn."""
    return (word[:place] + word[place + 1 :] for place, letter in enumerate(word) if letter == "'")


CONTRACTIONS = {
    spelling: word for word in _TARGETS.split() if word not in _WORDS_OF_THEIR_OWN for spelling in _spellings(word)
}
"""From a spelling that lacks one apostrophe to the contraction."""
