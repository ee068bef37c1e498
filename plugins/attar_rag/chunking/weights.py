"""Weights of the estimate."""

EDITION = "1"
SAMPLE = "The office is open from 8.00 to 15.30. Biaya kuliah Rp 5.000.000. कार्यालय सोमवार को खुलता है।"
