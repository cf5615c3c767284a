"""Sound files of many formats, whole and cut off."""

import av
import numpy as np
import soundfile


def encode(path, codec, waveform, rate, *, video=False, options=None):
    """Write (channels, S) with FFmpeg; `video` adds a black picture, as an mp4 of a phone has."""
    if codec == "vorbis":  # PyAV comes without its encoder
        soundfile.write(path, waveform.T, rate)
        return
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "stereo" if len(waveform) == 2 else "mono"
        if video:
            picture = container.add_stream("mpeg4", rate=25)
            picture.width = picture.height = 64
            picture.pix_fmt = "yuv420p"
            for _ in range(25):
                black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                container.mux(picture.encode(black))
            container.mux(picture.encode())
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(waveform, np.float32), format="fltp", layout=stream.layout.name
        )
        frame.rate = rate
        resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=rate)
        fifo = av.AudioFifo()
        for part in resampler.resample(frame):
            fifo.write(part)
        size = stream.codec_context.frame_size or 1024
        while part := fifo.read(size) or fifo.read(size, partial=True):
            container.mux(stream.encode(part))
        container.mux(stream.encode())


def cut_off(path, share=0.6):
    """Only the first part of a file stays, as of a download that broke off."""
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
