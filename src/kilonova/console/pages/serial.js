// A terminal on a guest's serial port. The page's own address, token and all, is the WebSocket's.
"use strict";

const KEYS = {
  Enter: "\r", Backspace: "\x7f", Tab: "\t", Escape: "\x1b", ArrowUp: "\x1b[A", ArrowDown: "\x1b[B",
  ArrowRight: "\x1b[C", ArrowLeft: "\x1b[D", Home: "\x1b[H", End: "\x1b[F", Insert: "\x1b[2~", Delete: "\x1b[3~",
  PageUp: "\x1b[5~", PageDown: "\x1b[6~",
};
const place = document.getElementById("terminal");
const say = (words) => { document.getElementById("status").textContent = words; };

const address = new URL(window.location.href);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
address.hash = "";
const wire = new WebSocket(address, ["binary"]);
wire.binaryType = "arraybuffer";
const send = (text) => { if (wire.readyState === WebSocket.OPEN) wire.send(new TextEncoder().encode(text)); };
const screen = new Screen(80, 24, send);
window.terminal = screen;

let drawn = 0;
let due = false;

function lineOf(cells, cursor) {
  const line = document.createElement("div");
  for (let i = 0; i < cells.length;) {
    const style = i === cursor ? "cursor" : cells[i][1];
    let text = "";
    const begun = i;
    while (i < cells.length && (i === begun || (i !== cursor && begun !== cursor && cells[i][1] === style))) {
      text += cells[i][0];
      i += 1;
    }
    const part = document.createElement("span");
    part.textContent = text;
    part.className = style;
    line.append(part);
  }
  return line;
}

function draw() {
  due = false;
  if (screen.past.length < drawn || screen.past.length === 2000) { place.replaceChildren(); drawn = 0; }
  while (place.childElementCount > drawn) place.lastChild.remove();
  for (; drawn < screen.past.length; drawn += 1) place.append(lineOf(screen.past[drawn], -1));
  screen.lines.forEach((cells, row) => place.append(lineOf(cells, row === screen.row ? screen.column : -1)));
  window.scrollTo(0, document.body.scrollHeight);
}

const text = new TextDecoder();
wire.onopen = () => say("Connected");
wire.onmessage = (event) => {
  screen.write(text.decode(event.data, { stream: true }));
  if (!due) { due = true; window.requestAnimationFrame(draw); }
};
wire.onclose = (event) => say("Disconnected" + (event.reason ? ": " + event.reason : ""));

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.isComposing || (event.ctrlKey && event.shiftKey)) return;  // the browser's own
  let keys = KEYS[event.key] || (event.key.length === 1 ? event.key : "");
  if (event.ctrlKey && /^[a-z@[\\\]^_ ]$/i.test(event.key)) keys = String.fromCharCode(event.key.toUpperCase().charCodeAt(0) & 31);
  else if (event.altKey && keys) keys = "\x1b" + keys;
  if (!keys) return;
  event.preventDefault();
  send(keys);
});
document.addEventListener("paste", (event) => {
  event.preventDefault();
  send(event.clipboardData.getData("text").replace(/\r?\n/g, "\r"));
});
draw();
