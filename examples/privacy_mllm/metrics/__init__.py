"""What is reported: what attackers read off the pictures, and how many questions are still answered."""

from privacy_mllm.metrics.answers import accuracy, normalise_answer, same_words
from privacy_mllm.metrics.average_precision import CMAP, average_precision, class_mean_average_precision
from privacy_mllm.metrics.calibration import PlattScaling, fit_platt, fit_temperature
from privacy_mllm.metrics.f1 import MacroF1, macro_f1
from privacy_mllm.metrics.information import Information, information
from privacy_mllm.metrics.reidentification import ReIdentification, expected_average_precision, reidentify
from privacy_mllm.metrics.report import LeakageReport, report_leakage
from privacy_mllm.metrics.severity import SeverityLeakage, WorstAttribute, severity_leakage, worst_attribute
from privacy_mllm.metrics.vqa import normalise_vqa, vqa_accuracy

__all__ = [
    "CMAP",
    "Information",
    "LeakageReport",
    "MacroF1",
    "PlattScaling",
    "ReIdentification",
    "SeverityLeakage",
    "WorstAttribute",
    "accuracy",
    "average_precision",
    "class_mean_average_precision",
    "expected_average_precision",
    "fit_platt",
    "fit_temperature",
    "information",
    "macro_f1",
    "normalise_answer",
    "normalise_vqa",
    "reidentify",
    "report_leakage",
    "same_words",
    "severity_leakage",
    "vqa_accuracy",
    "worst_attribute",
]
