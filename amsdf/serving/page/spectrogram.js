// A spectrogram on a canvas: black where there is sound, so that a style can invert it.
//
// Each column is the mean of a few frames spread over its stretch of time. So the work depends on
// the width of the canvas, and an hour costs as much as a minute.

const SIZE = 512;
const FRAMES = 4;
const RANGE = 65; // decibels from black to white
const SLICE = 12; // milliseconds of work before the browser draws

/** Draw samples (S,) up to half their rate, in slices; stops when `isStale()`. */
export async function drawSpectrogram(canvas, { samples }, isStale) {
  const { width, height } = canvas;
  const levels = new Float32Array(width * height);
  const fft = makeFft(SIZE);
  let begun = performance.now();
  for (let column = 0; column < width; column++) {
    const power = meanPower(
      samples,
      (column * samples.length) / width,
      samples.length / width,
      fft,
    );
    for (let row = 0; row < height; row++) {
      const bin = Math.floor((1 - (row + 0.5) / height) * (SIZE / 2));
      levels[row * width + column] = 10 * Math.log10(power[bin] + 1e-12);
    }
    if (performance.now() - begun > SLICE) {
      await new Promise((done) => setTimeout(done, 0));
      if (isStale()) return;
      begun = performance.now();
    }
  }
  paint(canvas, levels);
}

function paint(canvas, levels) {
  const loudest = levels.reduce((most, level) => Math.max(most, level), -120);
  const pixels = new ImageData(canvas.width, canvas.height);
  levels.forEach((level, index) => {
    const share = Math.max(0, 1 + (level - loudest) / RANGE);
    pixels.data[4 * index + 3] = 255 * share ** 1.3;
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function meanPower(samples, start, length, fft) {
  const sum = new Float32Array(SIZE / 2);
  const frames = Math.max(1, Math.min(FRAMES, Math.round(length / (SIZE / 2))));
  for (let frame = 0; frame < frames; frame++) {
    const centre = start + (length * (frame + 0.5)) / frames;
    const power = fft(samples, Math.round(centre - SIZE / 2));
    for (let bin = 0; bin < sum.length; bin++) sum[bin] += power[bin] / frames;
  }
  return sum;
}

/** A function that gives the power (size / 2,) of `size` samples from a place on, Hann window. */
export function makeFft(size) {
  const bits = Math.log2(size);
  const hann = Float32Array.from(
    { length: size },
    (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size),
  );
  const cosines = Float32Array.from({ length: size / 2 }, (_, n) =>
    Math.cos((2 * Math.PI * n) / size),
  );
  const sines = Float32Array.from({ length: size / 2 }, (_, n) =>
    Math.sin((2 * Math.PI * n) / size),
  );
  const order = Uint16Array.from({ length: size }, (_, n) =>
    Number.parseInt(n.toString(2).padStart(bits, "0").split("").reverse().join(""), 2),
  );
  const real = new Float32Array(size);
  const imaginary = new Float32Array(size);
  const power = new Float32Array(size / 2);

  return (samples, start) => {
    for (let n = 0; n < size; n++) real[order[n]] = (samples[start + n] ?? 0) * hann[n];
    imaginary.fill(0);
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let first = 0; first < size; first += 2 * half) {
        for (let k = 0; k < half; k++) {
          const [low, high] = [first + k, first + k + half];
          const [c, s] = [cosines[k * step], sines[k * step]];
          const turnedReal = real[high] * c + imaginary[high] * s;
          const turnedImaginary = imaginary[high] * c - real[high] * s;
          real[high] = real[low] - turnedReal;
          imaginary[high] = imaginary[low] - turnedImaginary;
          real[low] += turnedReal;
          imaginary[low] += turnedImaginary;
        }
      }
    }
    for (let bin = 0; bin < size / 2; bin++) power[bin] = real[bin] ** 2 + imaginary[bin] ** 2;
    return power;
  };
}
