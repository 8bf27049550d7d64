// A terminal on a guest's serial port. The page's own address, token and all, is the WebSocket's.
"use strict";

const say = (words) => { document.getElementById("status").textContent = words; };

function open(terminal) {
  const address = new URL(window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  address.hash = "";
  const wire = new WebSocket(address, ["binary"]);
  const text = new TextDecoder();
  const bytes = new TextEncoder();
  wire.binaryType = "arraybuffer";
  wire.onopen = () => { say("Connected"); terminal.focus(); };
  wire.onmessage = (event) => terminal.write(text.decode(event.data, { stream: true }));
  wire.onclose = (event) => say("Disconnected" + (event.reason ? ": " + event.reason : ""));
  const send = (keys) => { if (wire.readyState === WebSocket.OPEN) wire.send(bytes.encode(keys)); };
  // Releases from 4 on have onData.
  if (terminal.onData) terminal.onData(send); else terminal.on("data", send);
}

if (typeof Terminal === "undefined") {
  say("This proxy has no terminal for browsers: install the package libjs-xterm on its host");
} else {
  const terminal = new Terminal({ cols: 80, rows: 24, scrollback: 2000 });
  terminal.open(document.getElementById("terminal"));
  window.terminal = terminal;
  open(terminal);
}
