// A terminal's screen in memory: what shells, editors and pagers send to a VT100 and its heirs (ECMA-48).
"use strict";

class Screen {
  constructor(columns, rows, answer) {
    this.columns = columns;
    this.rows = rows;
    this.answer = answer;  // called with what the terminal itself says (cursor reports)
    this.past = [];
    this.reset();
  }

  reset() {
    this.lines = Array.from({ length: this.rows }, () => this.blank());
    this.row = this.column = 0;
    this.top = 0;
    this.bottom = this.rows - 1;
    this.style = "";
    this.attributes = {};
    this.saved = [0, 0];
    this.pending = "";
    this.overhang = false;  // the last column is written; the next character begins a new line
  }

  blank() { return Array.from({ length: this.columns }, () => [" ", ""]); }

  text() { return [...this.past, ...this.lines].map((line) => line.map((cell) => cell[0]).join("").trimEnd()).join("\n"); }

  write(text) {
    // A sequence: CSI with its parameters, OSC up to its end, or ESC with one letter.
    const sequence = /^\x1b(?:\[([?>=]?)([\d;]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()#][ -~]|([$-'*-Z\\^-~]))/;
    let rest = this.pending + text;
    this.pending = "";
    while (rest) {
      if (rest[0] === "\x1b") {
        const found = sequence.exec(rest);
        if (found) {
          this.obey(found);
          rest = rest.slice(found[0].length);
        } else if (rest.length < 256) {  // the other part comes with the next message
          this.pending = rest;
          return;
        } else {
          rest = rest.slice(1);
        }
        continue;
      }
      const character = String.fromCodePoint(rest.codePointAt(0));
      rest = rest.slice(character.length);
      this.put(character);
    }
  }

  put(character) {
    switch (character) {
      case "\r": this.column = 0; this.overhang = false; return;
      case "\n": case "\v": case "\f": this.feed(); return;
      case "\b": this.move(this.row, this.column - 1); return;
      case "\t": this.move(this.row, (Math.floor(this.column / 8) + 1) * 8); return;
    }
    if (character < " " || character === "\x7f") return;
    if (this.overhang) { this.column = 0; this.feed(); }
    this.lines[this.row][this.column] = [character, this.style];
    this.overhang = this.column === this.columns - 1;
    if (!this.overhang) this.column += 1;
  }

  feed() {
    this.overhang = false;
    if (this.row === this.bottom) this.scroll(this.top, 1);
    else if (this.row < this.rows - 1) this.row += 1;
  }

  scroll(from, count) {
    for (let i = 0; i < Math.abs(count); i += 1) {
      if (count > 0) {
        const [gone] = this.lines.splice(from, 1);
        this.lines.splice(this.bottom, 0, this.blank());
        if (from === 0 && this.bottom === this.rows - 1) this.past.push(gone);
      } else {
        this.lines.splice(this.bottom, 1);
        this.lines.splice(from, 0, this.blank());
      }
    }
    if (this.past.length > 2000) this.past.splice(0, this.past.length - 2000);
  }

  move(row, column) {
    this.row = Math.min(Math.max(row, 0), this.rows - 1);
    this.column = Math.min(Math.max(column, 0), this.columns - 1);
    this.overhang = false;
  }

  erase(row, from, to) { for (let i = from; i < to; i += 1) this.lines[row][i] = [" ", ""]; }

  obey([, mark, given, final, single]) {
    if (single) return this.simple(single);
    if (!final) return undefined;
    const numbers = given.split(";").map((word) => Number(word) || 0);
    const count = Math.min(numbers[0] || 1, 500);
    if (mark) return this.mode(mark, numbers, final);
    switch (final) {
      case "A": return this.move(this.row - count, this.column);
      case "B": case "e": return this.move(this.row + count, this.column);
      case "C": case "a": return this.move(this.row, this.column + count);
      case "D": return this.move(this.row, this.column - count);
      case "E": return this.move(this.row + count, 0);
      case "F": return this.move(this.row - count, 0);
      case "G": case "`": return this.move(this.row, count - 1);
      case "d": return this.move(count - 1, this.column);
      case "H": case "f": return this.move(count - 1, (numbers[1] || 1) - 1);
      case "J": return this.clear(numbers[0]);
      case "K": return this.erase(this.row, numbers[0] ? 0 : this.column, numbers[0] === 1 ? this.column + 1 : this.columns);
      case "L": return this.scroll(this.row, -count);
      case "M": return this.shift(count);
      case "S": return this.scroll(this.top, count);
      case "T": return this.scroll(this.top, -count);
      case "P": return this.change((line) => { line.splice(this.column, count); });
      case "@": return this.change((line) => { line.splice(this.column, 0, ...this.blank().slice(0, count)); });
      case "X": return this.erase(this.row, this.column, Math.min(this.column + count, this.columns));
      case "m": return this.paint(numbers);
      case "n": return numbers[0] === 6 && this.answer(`\x1b[${this.row + 1};${this.column + 1}R`);
      case "c": return this.answer("\x1b[?6c");
      case "r":
        this.top = Math.min(count, this.rows) - 1;
        this.bottom = Math.min(numbers[1] || this.rows, this.rows) - 1;
        if (this.top >= this.bottom) { this.top = 0; this.bottom = this.rows - 1; }
        return this.move(0, 0);
      case "s": this.saved = [this.row, this.column]; return undefined;
      case "u": return this.move(...this.saved);
    }
    return undefined;
  }

  simple(letter) {
    switch (letter) {
      case "7": this.saved = [this.row, this.column]; return;
      case "8": this.move(...this.saved); return;
      case "D": this.feed(); return;
      case "E": this.column = 0; this.feed(); return;
      case "M": if (this.row === this.top) this.scroll(this.top, -1); else this.move(this.row - 1, this.column); return;
      case "c": this.reset();
    }
  }

  mode(mark, numbers, final) {
    // Full-screen programs ask for a screen of their own and give it back: both are a clean one here.
    if (mark === "?" && (final === "h" || final === "l") && numbers.some((n) => n === 1049 || n === 47)) {
      this.clear(2);
      this.move(final === "h" ? 0 : this.rows - 1, 0);
    }
  }

  shift(count) {
    for (let i = 0; i < Math.min(count, this.bottom - this.row + 1); i += 1) {
      this.lines.splice(this.row, 1);
      this.lines.splice(this.bottom, 0, this.blank());
    }
  }

  change(how) {
    const line = this.lines[this.row];
    how(line);
    while (line.length < this.columns) line.push([" ", ""]);
    line.length = this.columns;
  }

  clear(which) {
    if (which === 3) { this.past = []; return; }
    for (let row = 0; row < this.rows; row += 1) {
      if (which === 2 || (which === 1 ? row < this.row : row > this.row)) this.lines[row] = this.blank();
    }
    if (which === 1) this.erase(this.row, 0, this.column + 1);
    if (!which) this.erase(this.row, this.column, this.columns);
  }

  paint(numbers) {
    for (let i = 0; i < numbers.length; i += 1) {
      const n = numbers[i];
      if (n === 0) this.attributes = {};
      else if (n === 1) this.attributes.bold = true;
      else if (n === 22) this.attributes.bold = false;
      else if (n === 7) this.attributes.reverse = true;
      else if (n === 27) this.attributes.reverse = false;
      else if (n === 38 || n === 48) i += numbers[i + 1] === 5 ? 2 : 4;  // of more colours than there are here
      else if ((n >= 30 && n <= 37) || (n >= 90 && n <= 97)) this.attributes.ink = n % 10;
      else if (n === 39) delete this.attributes.ink;
      else if ((n >= 40 && n <= 47) || (n >= 100 && n <= 107)) this.attributes.paper = n % 10;
      else if (n === 49) delete this.attributes.paper;
    }
    const { bold, reverse, ink, paper } = this.attributes;
    this.style = [
      bold && "bold", reverse && "reverse", ink !== undefined && `ink${ink}`, paper !== undefined && `paper${paper}`,
    ].filter(Boolean).join(" ");
  }
}
