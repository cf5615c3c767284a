// The microphone, judged while it is heard: samples out, a rolling verdict back.

import { currentToken } from "./api.js";
import { scale } from "./cards.js";
import { find, make } from "./dom.js";
import { openMicrophone, showLevel } from "./microphone.js";
import { clock, decide, styleOf } from "./words.js";

const SHOWN = 60; // seconds
//: With so much waiting to be sent the connection is too slow.
const MOST_WAITING = 4e6;
const BROKEN = "The connection to the server ended.";

/** Listen with the panel `#rolling` until it is stopped; `named` shows who listens. */
export async function listenLive({ name: detector, operating_point: point }, named) {
  const panel = find("#rolling");
  find("h2", panel).textContent = named ? `Live: ${detector}` : "Live";
  show(panel, "Listening.");
  const socket = await connect(detector);
  let over;
  const ended = new Promise((resolve, reject) => (over = { resolve, reject }));
  ended.catch(() => {}); // it may end before anybody waits for it
  socket.onclose = (event) => over.reject(new Error(event.reason || BROKEN));
  socket.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    if (news.error) over.reject(new Error(news.error.message));
    else roll(panel, news, point);
  };

  let [stop, rateIsSent] = [null, false];
  const send = (block, rate) => {
    showLevel(find(".meter", panel), block);
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!rateIsSent) socket.send(JSON.stringify({ rate }));
    rateIsSent = true;
    if (socket.bufferedAmount > MOST_WAITING) over.reject(new Error("The connection is too slow."));
    else socket.send(block);
  };
  try {
    stop = await openMicrophone(send);
    panel.hidden = false;
    find(".stop", panel).onclick = () => over.resolve();
    find(".stop", panel).focus();
    await ended;
  } finally {
    socket.onclose = null;
    socket.close();
    await stop?.();
    panel.hidden = true;
  }
}

function connect(detector) {
  const address = new URL(`v1/live?${new URLSearchParams({ detector })}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  // A browser sets no headers here: the token goes as a subprotocol.
  const token = currentToken();
  let socket;
  try {
    socket = new WebSocket(address, token ? ["bearer", token] : []);
  } catch {
    throw new Error("To listen live, the token of the server must consist of letters and digits.");
  }
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () =>
      reject(new Error("The server offers no live listening, or does not answer."));
  });
}

function show(panel, headline) {
  find(".headline", panel).textContent = headline;
  find(".strip", panel).replaceChildren();
  find(".scale-place", panel).replaceChildren();
  find(".near", panel).hidden = true;
  find(".alarm", panel).hidden = true;
  find(".time", panel).textContent = clock(0);
}

function roll(panel, news, point) {
  const { seconds, probability, towards_alarm: share, alarm, headline, window } = news;
  const words = find(".headline", panel);
  if (words.textContent !== headline) words.textContent = headline; // said once
  find(".time", panel).textContent = clock(seconds);
  find(".scale-place", panel).replaceChildren(...[scale(probability, point)].filter(Boolean));
  const near = find(".near", panel);
  near.hidden = alarm || !share;
  near.textContent = `Evidence of a machine adds up: ${Math.round(100 * share)} % of an alarm.`;
  const warning = find(".alarm", panel);
  warning.hidden = !alarm;
  if (alarm) warning.textContent = "Alarm: this sounds machine-made.";
  if (window) addBar(find(".strip", panel), window, seconds, point);
}

function addBar(strip, { start, end, probability, quiet }, seconds, point) {
  const style = quiet ? "quiet" : styleOf(decide(probability, point));
  const before = Number(strip.lastElementChild?.dataset.end ?? start);
  const bar = make(`i.${style}`, { "data-end": end });
  bar.style.height = `${Math.max(6, 100 * (1 - (probability ?? 0.5)))}%`;
  bar.style.width = `${(100 * (end - Math.max(start, before))) / SHOWN}%`; // windows overlap
  strip.append(bar);
  for (const each of [...strip.children]) {
    const age = seconds - Number(each.dataset.end);
    if (age > SHOWN) each.remove();
    else each.style.right = `${(100 * age) / SHOWN}%`;
  }
}
