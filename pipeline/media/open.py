"""Opening media files safely: regular files only, known formats only, no second file or socket, always closed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.shortage import is_short, shortage

_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h261,h263,h264,hevc,vvc,evc,obu,ivf,flv,"
    "live_flv,kux,asf,ogg,mxf,gxf,dv,wtv,rm,swf,nut,nuv,nsv,nc,yuv4mpegpipe,mjpeg,dirac,dnxhd,vc1,vc1test,"
    "cavsvideo,avs2,avs3,bink,smk,roq,4xm,flic,film_cpk,amv,cine,lxf,ty,pva,pmp,thp,vivo,mtv,dhav,mlv,lvf,xmv"
)
_SOUND = (
    "wav,w64,mp3,aac,flac,aiff,amr,amrnb,amrwb,ac3,eac3,ac4,dts,truehd,ape,wv,tta,caf,au,opus,mpc,mpc8,tak,loas,"
    "qcp,voc,gsm"
)
_PICTURES = (
    "gif,apng,gif_pipe,ico,jpegxl_anim,bmp_pipe,dds_pipe,dpx_pipe,exr_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,"
    "jpegxl_pipe,pam_pipe,pbm_pipe,pcx_pipe,pgm_pipe,pgmyuv_pipe,png_pipe,ppm_pipe,psd_pipe,qoi_pipe,sgi_pipe,"
    "sunrast_pipe,tiff_pipe,webp_pipe,xbm_pipe,xpm_pipe,xwd_pipe"
)
FORMATS = ",".join((_CONTAINERS, _SOUND, _PICTURES))
"""Demuxers that read one file and nothing else: no playlist, sequence, device or network format."""

PICTURE_FORMATS = frozenset(_PICTURES.split(",")) - {"gif", "apng", "jpegxl_anim"}
"""Formats of still pictures."""

_SAMPLE_BYTES = 1 << 20
_SURROUNDINGS = frozenset({errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.EMFILE, errno.ENFILE})
_PERHAPS = frozenset({errno.EIO, errno.ENOENT, errno.EACCES, errno.EPERM})
"""What FFmpeg says of a bad disk or a forbidden file, but of a damaged one too (-1 is EPERM)."""
_NO_DECODER = (av.error.DecoderNotFoundError, av.error.PatchWelcomeError, av.error.ExperimentalError)

av.logging.set_level(None)  # FFmpeg's log callback into Python can deadlock with decoder threads.


@contextmanager
def open_media(path: bytes, stage: Stage, max_pixels: int) -> Iterator[InputContainer]:
    """Open the regular file at `path` (absolute) and close it again, whatever happens.

    Raises JobError (with `stage`): io, empty (no byte), corrupt, unsupported. Exceptions of the body pass through
    as they are; `translated` turns those of a decoder into JobError.
    """
    descriptor = open_regular(path, stage)
    try:
        container = _open_container(path, descriptor, stage, max_pixels)
        try:
            yield container
        finally:
            container.close()
    finally:
        os.close(descriptor)


def open_regular(path: bytes, stage: Stage) -> int:
    """Return a descriptor of the regular, non-empty file at `path`; never blocks. Raises JobError (io, empty)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise JobError(
            FailureClass.IO,
            f"The file cannot be opened: {error.strerror}.",
            stage=stage,
            detail=str(error),
            errno=error.errno or 0,
        ) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise JobError(FailureClass.UNSUPPORTED, "Not a regular file.", stage=stage)
    if status.st_size == 0:
        os.close(descriptor)
        raise JobError(FailureClass.EMPTY, "The file has no content.", stage=stage)
    return descriptor


def _open_container(path: bytes, descriptor: int, stage: Stage, max_pixels: int) -> InputContainer:
    # The name of the descriptor holds no character that FFmpeg takes for a protocol or a number pattern, and it
    # stays the file whose kind was checked.
    name = f"/proc/self/fd/{descriptor}"
    if not Path(name).exists():
        name = os.fsdecode(os.path.abspath(path))
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": FORMATS,
        "max_pixels": str(max_pixels),
        "threads": "1",
    }
    with translated(stage, descriptor):
        return av.open(name, options=options, metadata_errors="replace")


@contextmanager
def translated(stage: Stage, descriptor: int | None = None) -> Iterator[None]:
    """Turn what PyAV raises over damaged or strange media into JobError; let everything else pass."""
    try:
        yield
    except (JobError, MemoryError) as error:
        if isinstance(error, av.error.FFmpegError):
            raise as_job_error(error, stage, descriptor) from error
        raise
    except (av.error.FFmpegError, UnicodeError, AttributeError, LookupError, ValueError, OverflowError) as error:
        raise as_job_error(error, stage, descriptor) from error


def as_job_error(error: Exception, stage: Stage, descriptor: int | None = None) -> JobError:
    """Return the JobError for what PyAV raised."""
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, _NO_DECODER):
        return JobError(
            FailureClass.UNSUPPORTED, "FFmpeg cannot decode this kind of video.", stage=stage, detail=detail
        )
    if isinstance(error, av.error.ArgumentError):
        return JobError(
            FailureClass.UNSUPPORTED,
            "A playlist or a container that is not read from files here.",
            stage=stage,
            detail=detail,
        )
    number = getattr(error, "errno", None) or 0
    if number in _SURROUNDINGS or (number in _PERHAPS and not _readable(descriptor)):
        return JobError(FailureClass.IO, "The file cannot be read.", stage=stage, detail=detail, errno=number)
    if number in {errno.ENOMEM, errno.EAGAIN} and is_short(number):
        return shortage(number, stage, detail)
    return JobError(FailureClass.CORRUPT, "Not a media file, or too damaged to be read.", stage=stage, detail=detail)


def _readable(descriptor: int | None) -> bool:
    """Whether the file can be opened again, as FFmpeg does, and its bytes be read."""
    if descriptor is None:
        return True
    try:
        again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY) if os.path.exists("/proc/self/fd") else descriptor
        try:
            size = os.fstat(again).st_size
            for offset in (0, size // 2, max(0, size - _SAMPLE_BYTES)):
                os.pread(again, _SAMPLE_BYTES, offset)
        finally:
            if again != descriptor:
                os.close(again)
    except OSError:
        return False
    return True


def video_stream(container: InputContainer, stage: Stage) -> VideoStream:
    """Return the stream to read: the first that is a video and no cover picture.

    Raises JobError: empty without one, unsupported without a decoder for it.
    """
    streams = container.streams.video
    moving = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    if not moving:
        sentence = "only a cover picture" if streams else "sound" if container.streams.audio else "nothing to see"
        raise JobError(FailureClass.EMPTY, f"There is no video in it: {sentence}.", stage=stage)
    for stream in moving:
        if stream.codec_context is not None:
            return stream
    raise JobError(FailureClass.UNSUPPORTED, "FFmpeg has no decoder for this video.", stage=stage)


def prepare_decoder(stream: VideoStream, max_pixels: int, threads: int) -> None:
    """Set threads and the pixel cap of a stream's decoder before its first packet."""
    context = stream.codec_context
    context.thread_count = max(1, threads)
    context.thread_type = "AUTO" if threads > 1 else "SLICE"
    context.options = {**context.options, "max_pixels": str(max_pixels)}


def reorders(codec: str) -> bool:
    """Whether pictures of this codec may be shown in another order than they are stored in; unknown ones may."""
    try:
        return av.Codec(codec, "r").reorder
    except ValueError:
        return True
