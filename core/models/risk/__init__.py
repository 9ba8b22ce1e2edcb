"""Networks that give a risk score from images and clinical values, one file each, found by name."""
