// Links in texts.

/** An address as people write it. Only http and https: others, such as javascript, could run scripts. */
const ADDRESS = /\bhttps?:\/\/[^\s<>"]+/gi;

/** The text as nodes, with a link for each address. Nothing of it is read as HTML. */
export function linked(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    if (!URL.canParse(address)) continue;
    nodes.push(text.slice(end, index), link(address));
    end = index + address.length;
  }
  return [...nodes, text.slice(end)];
}

/** Without the punctuation that ends a sentence, or a bracket that was opened before the address. */
function trimmed(address) {
  const shorter = address.replace(/[.,;:!?'*_~]+$/, '');
  const count = (sign) => shorter.split(sign).length;
  const isOpenedBefore = (open, close) => shorter.endsWith(close) && count(close) > count(open);
  return isOpenedBefore('(', ')') || isOpenedBefore('[', ']') ? trimmed(shorter.slice(0, -1)) : shorter;
}

function link(address) {
  const element = document.createElement('a');
  element.href = address;
  element.textContent = address;
  element.target = '_blank';
  // The page that opens learns neither of this window nor its address.
  element.rel = 'noopener noreferrer';
  return element;
}
