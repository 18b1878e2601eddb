// CSV, read piece by piece, so that a file may be larger than what one would hold in memory.

/** Rows out of pieces of text: quotes may hold separators, line ends and doubled quotes (RFC 4180). */
export class CsvReader {
  constructor(separator) {
    this.separator = separator;
    this.row = [];
    this.cell = "";
    this.quoted = false;
    this.afterQuote = false; // a quote within quotes: the end, or the first of two
    this.started = false; // whether the row has anything
  }

  /** Takes a piece of text, returns the rows that it completes. */
  push(text) {
    const rows = [];
    for (const letter of text) {
      if (this.quoted) {
        if (letter === '"') {
          this.quoted = false;
          this.afterQuote = true;
        } else this.cell += letter;
      } else if (letter === '"' && this.afterQuote) {
        this.cell += '"';
        this.quoted = true;
        this.afterQuote = false;
      } else if (letter === '"' && this.cell === "") {
        this.quoted = true;
        this.started = true;
      } else if (letter === this.separator) {
        this.endCell();
        this.started = true;
      } else if (letter === "\n") this.endRow(rows);
      else if (letter !== "\r") {
        this.afterQuote = false;
        this.cell += letter;
        this.started = true;
      }
    }
    return rows;
  }

  /** The row that no line end has closed. */
  end() {
    const rows = [];
    this.endRow(rows);
    return rows;
  }

  endCell() {
    this.row.push(this.cell);
    this.cell = "";
    this.afterQuote = false;
  }

  endRow(rows) {
    if (!this.started) return; // an empty line is no row
    this.endCell();
    rows.push(this.row);
    this.row = [];
    this.started = false;
  }
}

/** The sign that most often stands on the first line: a comma, a semicolon or a tab. */
export function separatorOf(text) {
  const line = text.slice(0, text.search(/\r?\n|$/));
  const counts = [",", ";", "\t"].map((sign) => [line.split(sign).length, sign]);
  return counts.sort((a, b) => b[0] - a[0])[0][1];
}

/** Yields {rows, share}: rows of a file as they are read, and which share of the file that was. */
export async function* readCsv(file, separator, signal = null) {
  let bytes = 0;
  const counter = new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      controller.enqueue(chunk);
    },
  });
  const reader = file.stream().pipeThrough(counter).pipeThrough(new TextDecoderStream("utf-8")).getReader();
  const parser = new CsvReader(separator);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      signal?.throwIfAborted();
      yield { rows: parser.push(value), share: bytes / file.size };
    }
    yield { rows: parser.end(), share: 1 };
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** One row as a line of CSV. */
export function csvLine(cells) {
  return `${cells.map((cell) => csvCell(cell)).join(",")}\r\n`;
}

function csvCell(cell) {
  const text = cell === null || cell === undefined ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
