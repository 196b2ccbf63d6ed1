/** Lists of addresses as people have them: one a line, or a column of a table (CSV, RFC 4180). */

const SEPARATORS = [",", ";", "\t"];

/**
 * @param {string} text
 * @returns {{line: number, email: string}[]} what stands on each line that is not empty
 */
export function linesOf(text) {
  return text
    .split(/\r\n|\r|\n/)
    .map((words, index) => ({ line: index + 1, email: words.trim() }))
    .filter(({ email }) => email);
}

/**
 * Read a file as a table.
 *
 * @param {string} text
 * @returns {{names: string[], rows: string[][], likely: number}} the names of its columns, what
 *   is in them, and the column that most likely has the addresses
 */
export function tableOf(text) {
  const plain = text.replace(/^\ufeff/, "");
  const rows = rowsOf(plain, separatorOf(plain)).filter((row) => row.some((cell) => cell.trim()));
  const width = Math.max(0, ...rows.map((row) => row.length));
  const columns = Array.from({ length: width }, (_, index) => index);
  const counts = columns.map((index) => rows.filter((row) => row[index]?.includes("@")).length);
  const likely = counts.indexOf(Math.max(...counts));
  const hasHead = width > 0 && rows.length > 1 && !rows[0].some((cell) => cell.includes("@"));
  return {
    names: columns.map((index) => (hasHead && rows[0][index]?.trim()) || `Column ${index + 1}`),
    rows: hasHead ? rows.slice(1) : rows,
    likely: Math.max(0, likely),
  };
}

/** What stands most often in the first line, outside of quotes. */
function separatorOf(text) {
  const first = text.slice(0, text.search(/[\r\n]|$/)).replace(/"[^"]*"/g, "");
  const count = (separator) => first.split(separator).length;
  return SEPARATORS.reduce((best, one) => (count(one) > count(best) ? one : best));
}

function rowsOf(text, separator) {
  const rows = [[]];
  const content = `(?:"((?:[^"]|"")*)"|([^${separator}\\r\\n]*))`;
  const cell = new RegExp(`${content}(${separator}|\\r\\n|\\r|\\n|$)`, "g");
  for (const [, quoted, bare, end] of text.matchAll(cell)) {
    rows.at(-1).push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end === "") break;
    if (end !== separator) rows.push([]);
  }
  return rows;
}
