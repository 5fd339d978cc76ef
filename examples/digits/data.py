"""The digits: 1,797 grey images of 8x8 pixels that scikit-learn ships, split once and for all.

    python data.py FOLDER     writes the calibration batches, the held-out images and their labels as .npy

The split needs no random numbers: every third image (index 0, 3, 6, ...) is held out, the others train.
"""
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_digits

CALIBRATION_BATCHES = 8
CALIBRATION_BATCH_SIZE = 32


def load():
    """Returns (train_images, train_labels, held_out_images, held_out_labels).

    Images are float32 [N, 1, 8, 8] in 0..1 (the package has 0..16), labels int64 [N].
    """
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, np.newaxis]
    labels = digits.target.astype(np.int64)
    held_out = np.arange(len(images)) % 3 == 0
    return images[~held_out], labels[~held_out], images[held_out], labels[held_out]


def write(folder):
    """Writes calibration_K.npy, held_out_images.npy and held_out_labels.npy into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    train_images, _, held_out_images, held_out_labels = load()
    for batch in range(CALIBRATION_BATCHES):
        first = batch * CALIBRATION_BATCH_SIZE
        np.save(folder / f"calibration_{batch}.npy", train_images[first : first + CALIBRATION_BATCH_SIZE])
    np.save(folder / "held_out_images.npy", held_out_images)
    np.save(folder / "held_out_labels.npy", held_out_labels)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python data.py FOLDER")
    write(pathlib.Path(sys.argv[1]))
