// The player: sound, waveform, timelines and spectrogram along one axis of time.

import { find } from "./dom.js";
import { drawSpectrogram } from "./spectrogram.js";
import { axis, lane } from "./timeline.js";
import { decode, outline } from "./waveform.js";
import { clock } from "./words.js";

const CANNOT_PLAY = "This browser cannot play this format. The timeline holds all the same.";
const TOO_LONG = "The waveform of over an hour is not drawn.";

/** One for the page; `open` gives it another recording. */
export class Player {
  constructor() {
    this.panel = find("#player");
    this.part = (selector) => find(selector, this.panel);
    this.audio = new Audio();
    this.audio.preload = "metadata";
    this.seconds = 1;
    this.stopAt = Infinity;
    this.file = null;
    this.button = this.part(".play");
    this.wave = this.part(".wave");
    this.listen();
  }

  listen() {
    this.button.addEventListener("click", () => this.toggle());
    this.wave.addEventListener("click", (event) => {
      const { left, width } = this.wave.getBoundingClientRect();
      this.seek(((event.clientX - left) / width) * this.seconds);
    });
    this.wave.addEventListener("keydown", (event) => this.onKey(event));
    this.audio.addEventListener("play", () => this.follow());
    for (const event of ["play", "pause", "seeked", "ended"]) {
      this.audio.addEventListener(event, () => this.show());
    }
    this.audio.addEventListener("error", () => this.cannotPlay());
  }

  /** Begin with another file. */
  open(file) {
    this.audio.pause();
    URL.revokeObjectURL(this.audio.src);
    this.file = file;
    this.stopAt = Infinity;
    this.button.disabled = false;
    this.part(".note").textContent = "";
    this.part(".lanes").replaceChildren();
    this.wave.replaceChildren();
    const canvas = this.part("canvas");
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    this.audio.src = URL.createObjectURL(file);
  }

  /** Draw the sound of the file that is open, which lasts so long. */
  async draw(seconds) {
    this.seconds = Math.max(seconds, 0.01);
    this.part(".whole").textContent = clock(this.seconds);
    this.wave.setAttribute("aria-valuemax", this.seconds.toFixed(1));
    this.part(".axis").replaceChildren(...axis(this.seconds));
    this.show();

    const file = this.file;
    const isStale = () => this.file !== file;
    const sound = await decode(file, seconds);
    if (isStale()) return;
    this.part(".spectrum").hidden = this.wave.hidden = !sound;
    if (!sound) {
      if (!this.audio.error) this.part(".note").textContent = TOO_LONG;
      return;
    }
    const picture = await outline(sound, isStale);
    if (picture) this.wave.replaceChildren(picture);
    const canvas = this.part("canvas");
    canvas.width = Math.min(1600, Math.max(1, canvas.clientWidth * devicePixelRatio));
    const highest = `${sound.rate / 2000} kHz`;
    this.part(".highest").textContent = highest;
    canvas.setAttribute("aria-label", `Spectrogram: time across, 0 to ${highest} upwards`);
    await drawSpectrogram(canvas, sound, isStale);
  }

  /** Show the timelines of some verdicts. */
  setVerdicts(verdicts) {
    const play = (start, end) => this.play(start, end);
    const several = verdicts.length > 1;
    this.part(".lanes").replaceChildren(
      ...verdicts.map((verdict) => lane(verdict, this.seconds, several, play)),
    );
    this.part(".flagged").hidden = !verdicts.some((verdict) => verdict.flagged.length);
  }

  /** Play from a time, to `end` if it is given. */
  async play(start, end = Infinity) {
    this.seek(start);
    this.stopAt = end;
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name !== "AbortError") this.cannotPlay(); // paused before it began
    }
  }

  pause() {
    this.audio.pause();
  }

  toggle() {
    if (!this.audio.paused) this.pause();
    else this.play(this.audio.ended ? 0 : this.audio.currentTime);
  }

  seek(time) {
    this.stopAt = Infinity;
    this.audio.currentTime = Math.max(0, Math.min(this.seconds, time));
    this.show();
  }

  onKey(event) {
    const now = this.audio.currentTime;
    const steps = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now + 10, PageDown: now - 10 };
    const ends = { Home: 0, End: this.seconds };
    const time = { ...steps, ArrowUp: now + 1, ArrowDown: now - 1, ...ends }[event.key];
    if (time === undefined && event.key !== " ") return;
    event.preventDefault();
    if (event.key === " ") this.toggle();
    else this.seek(time);
  }

  follow() {
    if (this.audio.currentTime >= this.stopAt) this.audio.pause();
    this.show();
    if (!this.audio.paused) requestAnimationFrame(() => this.follow());
  }

  show() {
    const now = Math.min(this.audio.currentTime, this.seconds);
    this.part(".head").style.left = `${(100 * now) / this.seconds}%`;
    this.part(".now").textContent = clock(now);
    this.wave.setAttribute("aria-valuenow", now.toFixed(1));
    this.wave.setAttribute("aria-valuetext", `${clock(now)} of ${clock(this.seconds)}`);
    const word = this.audio.paused ? "Play" : "Pause";
    if (this.button.textContent === word) return;
    // Firefox takes no click on a button whose text changes while it is pressed.
    this.button.textContent = word;
    this.button.setAttribute("aria-label", word);
  }

  cannotPlay() {
    this.button.disabled = true;
    this.part(".note").textContent = CANNOT_PLAY;
  }
}
