"""Every error stsearch raises on purpose; each class carries the exit code the command line returns.

Exit codes are part of the public interface (see the README): scripts may rely on them.
"""

from __future__ import annotations


class StsearchError(Exception):
    """Base of all deliberate errors; the message names the file or option, its value and the remedy."""

    exit_code = 70


class UsageError(StsearchError):
    """An argument, option or configuration value cannot be used."""

    exit_code = 2


class DataError(StsearchError):
    """A dataset, annotation file, font or word list is missing, empty or malformed."""

    exit_code = 2


class ImageError(StsearchError):
    """One photograph cannot be read; the run goes on without it."""

    exit_code = 3


class ImageRefusedError(ImageError):
    """One photograph is refused; with another limit, or another package, it can be read."""


class PhotosMissingError(StsearchError):
    """A folder that was indexed holds no photographs, as if a share were not mounted."""

    exit_code = 3


class PhotosUnreachableError(StsearchError):
    """A bucket of photographs cannot be reached: no network, no permission, credentials that expired."""

    exit_code = 3


class GalleryNotFoundError(StsearchError):
    """There is no gallery where one was expected."""

    exit_code = 10


class GalleryUntrustedError(StsearchError):
    """The gallery there belongs to another user, and nobody said that it may be used."""

    exit_code = 10


class GalleryLockedError(StsearchError):
    """Another process is writing to the gallery."""

    exit_code = 11


class GalleryDamagedError(StsearchError):
    """A gallery file is damaged, or was written by a newer version."""

    exit_code = 12


class NewerFormatError(GalleryDamagedError):
    """A gallery file was written by a newer version; it is not damaged, and is left unchanged."""


class GalleryUnreadableError(StsearchError):
    """A gallery cannot be reached or read: no permission, a disk or share that does not answer."""

    exit_code = 12


class WeightsError(StsearchError):
    """Weights are missing, do not match their checksum, or do not fit the architecture."""

    exit_code = 13


class DeviceError(StsearchError):
    """The requested device does not exist, or ran out of memory after backing off."""

    exit_code = 14


class OutOfDeviceMemoryError(DeviceError):
    """The memory of the device is too small for what was to be computed at once."""


class WriteError(StsearchError):
    """A file cannot be written: disk full, or no permission."""

    exit_code = 15


class TrainingError(StsearchError):
    """Training cannot go on, for example because a loss is no longer finite."""

    exit_code = 14
