"""The words of the embedded world: what can be seen in it, and what can be asked about it."""

from __future__ import annotations

ACTIONS = (
    "waving",
    "clapping",
    "walking",
    "running",
    "jumping",
    "squatting",
    "punching",
    "kicking",
    "sitting",
    "lifting",
)
COUNTS = ("one", "two")
OBJECTS = ("nothing", "a ball", "a cup", "a stick")
PLACES = ("indoors", "the park", "the beach", "the street")

ATTRIBUTES = ("skin_color", "face", "gender_cue", "semi_nudity", "relationship", "credit_card")
"""Private attributes: dark skin, a face seen from the front, long hair and a bare torso, each on anyone in the picture;
two people who touch; and a bank card."""

QUESTIONS = (
    "what is the person doing",
    "how many people are there",
    "what is the person holding",
    "where is the person",
)
CANDIDATES = dict(zip(QUESTIONS, (ACTIONS, COUNTS, OBJECTS, PLACES), strict=True))
"""Every answer that a question can have."""
