"""Private attributes by name: the 68 of VISPR, and the subsets that the literature reports.

The identifiers are sparse (a0 to a104), so a number says nothing of the column; papers order the same subset in
different ways. Everything here is by name.

Reference:
    Orekondy, Schiele, Fritz, *Towards a Visual Privacy Advisor*, ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

SAFE = "a0_safe"
"""The label of a VISPR image that shows nothing private."""

VISPR_ATTRIBUTES = tuple(
    """
    a0_safe a1_age_approx a2_weight_approx a3_height_approx a4_gender a5_eye_color a6_hair_color a7_fingerprint
    a8_signature a9_face_complete a10_face_partial a11_tattoo a12_semi_nudity a13_full_nudity a16_race a17_color
    a18_ethnic_clothing a19_name_full a20_name_first a21_name_last a23_birth_city a24_birth_date a25_nationality
    a26_handwriting a27_marital_status a29_ausweis a30_credit_card a31_passport a32_drivers_license a33_student_id
    a35_mail a37_receipt a38_ticket a39_disability_physical a41_injury a43_medicine a46_occupation a48_occassion_work
    a49_phone a55_religion a56_sexual_orientation a57_culture a58_hobbies a59_sports a60_occassion_personal
    a61_opinion_general a62_opinion_political a70_education_history a99_legal_involvement a64_rel_personal
    a65_rel_social a66_rel_professional a67_rel_competitors a68_rel_spectators a69_rel_views a73_landmark
    a74_address_current_complete a75_address_current_partial a78_address_home_complete a79_address_home_partial
    a82_date_time a85_username a90_email a92_email_content a97_online_conversation a102_vehicle_ownership
    a103_license_plate_complete a104_license_plate_partial
    """.split()  # noqa: SIM905 - a table
)
"""All 68 labels, spelled as they are published, in the order of ``attributes.tsv``."""

Subset = Mapping[str, tuple[str, ...]]
"""From a column's name to the labels of which any one makes it 1; the order is that of the columns."""


def _as_they_are(*labels: str) -> Subset:
    return MappingProxyType({label: (label,) for label in labels})


VISPR1 = _as_they_are(
    "a17_color",
    "a4_gender",
    "a9_face_complete",
    "a10_face_partial",
    "a12_semi_nudity",
    "a64_rel_personal",
    "a65_rel_social",
)
"""Seven attributes: the subset of SPAct, and of the answers to OK-VQA's images."""

VISPR2 = _as_they_are(
    "a6_hair_color",
    "a16_race",
    "a59_sports",
    "a1_age_approx",
    "a2_weight_approx",
    "a73_landmark",
    "a11_tattoo",
)
"""Seven others, for generalisation to unseen attributes. We could not check this list at its source."""

WU5: Subset = MappingProxyType(
    {
        "gender": ("a4_gender",),
        "face": ("a9_face_complete", "a10_face_partial"),
        "nudity": ("a12_semi_nudity",),
        "skin_color": ("a17_color",),
        "relationship": ("a64_rel_personal", "a65_rel_social"),
    }
)
"""The five attributes of Wu et al., which PA-HMDB51 annotates (its binarisation ``wu5``)."""

VISPR6: Subset = MappingProxyType(
    {
        "skin_color": ("a17_color",),
        "gender": ("a4_gender",),
        "face_complete": ("a9_face_complete",),
        "face_partial": ("a10_face_partial",),
        "nudity": ("a12_semi_nudity",),
        "relationship": ("a64_rel_personal",),
    }
)
"""VISPR1 without ``a65_rel_social``: what PA-HMDB51 can tell of it (its binarisation ``vispr6``)."""

SUBSETS: Mapping[str, Subset] = MappingProxyType(
    {
        "vispr1": VISPR1,
        "vispr2": VISPR2,
        "wu5": WU5,
        "vispr6": VISPR6,
        "all": _as_they_are(*VISPR_ATTRIBUTES[1:]),
    }
)
"""The subsets by the name that a source's option has; "all" are the 67 labels beside ``a0_safe``."""


def to_targets(labels: Collection[str], subset: Subset) -> tuple[int, ...]:
    """0 or 1 for each column of a subset; an image without any of its labels, or a safe one, has only zeros.

    Args:
        labels: Labels of an image.
        subset: The columns.

    Example:
        >>> to_targets(["a10_face_partial", "a82_date_time"], WU5)
        (0, 1, 0, 0, 0)
    """
    return tuple(int(any(label in labels for label in any_of)) for any_of in subset.values())
