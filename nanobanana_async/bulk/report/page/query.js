// Which rows are shown: words to find, states, a resolution, a reason for failure.

const query = { words: [], states: new Set(), resolution: "", reason: "" };

const haystacks = new Map();

/** All that can be searched of a row, in small letters. Made when a search first needs it. */
function haystack(row) {
  let text = haystacks.get(row);
  if (text === undefined) {
    text = `${row.prompt}\n${row.key}\n${row.task ?? ""}`.toLowerCase();
    haystacks.set(row, text);
  }
  return text;
}

const hasWords = (text) => query.words.every((word) => text.includes(word));

function matches(row) {
  return (
    (query.states.size === 0 || query.states.has(row.state)) &&
    (query.resolution === "" || row.resolution === query.resolution) &&
    (query.reason === "" || row.reason === query.reason) &&
    (query.words.length === 0 || hasWords(haystack(row)))
  );
}

/** Rejected lines have no state and no resolution: they are found by words only. */
function rejectedMatches(line) {
  if (query.states.size || query.resolution || query.reason) return false;
  const faults = line.faults.map((fault) => `${fault.field} ${fault.reason}`).join("\n");
  return hasWords(`${line.key ?? ""}\n${faults}`.toLowerCase());
}

const isQuery = () =>
  query.words.length > 0 || query.states.size > 0 || query.resolution !== "" || query.reason !== "";
