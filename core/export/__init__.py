"""What leaves the program: segmentations as DICOM SEG and as surfaces, and DICOM series without patient data."""
