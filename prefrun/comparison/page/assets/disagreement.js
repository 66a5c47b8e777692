// How much two configurations disagree about a record.

const [RESPONSE, REWARD, RATIOS, VALUES] = [0, 1, 2, 3];

/** What two configurations can disagree in: [name, words, amount(one, two)] where it is known. */
function disagreements(records) {
  const sides = records.records.flatMap((record) => record[4]).filter(Boolean);
  const found = [];
  if (sides.some((side) => side[RATIOS].length > 1)) {
    found.push(["order", "order of the data's answers by implied reward", orderDistance]);
  }
  if (sides.some((side) => known(side[REWARD]))) {
    found.push(["sampled", "reward of the sampled answer", (one, two) => gap(one[REWARD], two[REWARD])]);
  }
  records.metrics.forEach((name, index) => found.push(
    [name, name, (one, two) => gap(one[VALUES][index], two[VALUES][index])]));
  return found;
}

function gap(one, two) {
  return known(one) && known(two) ? Math.abs(one - two) : null;
}

/** The share of pairs of answers that ONE and TWO order differently; a tie on one side is half. */
function orderDistance(one, two) {
  const [a, b] = [one[RATIOS], two[RATIOS]];
  if (a.length < 2 || a.length !== b.length) return null;
  let [different, pairs] = [0, 0];
  for (let left = 0; left < a.length; left += 1) {
    for (let right = left + 1; right < a.length; right += 1) {
      const signs = [Math.sign(a[left] - a[right]), Math.sign(b[left] - b[right])];
      different += Math.abs(signs[0] - signs[1]) / 2;
      pairs += 1;
    }
  }
  return different / pairs;
}

/** [record's number, amount] in order; those that disagree only, most first, where ONLY is set. */
function orderedRecords(records, { a, b, by, only }) {
  const amount = (record) => {
    const [one, two] = [record[4][a], record[4][b]];
    return one && two && by ? by[2](one, two) : null;
  };
  const all = records.records.map((record, at) => [at, amount(record)]);
  return only
    ? all.filter(([, size]) => size > 0).sort((one, two) => two[1] - one[1])
    : all;
}

/** 1 for the highest value; ties share the smallest rank. */
function ranks(values) {
  return values.map((value) => 1 + values.filter((other) => other > value).length);
}
