"""The words of the sample's exercises, and the words that answers to them may be made of."""

from __future__ import annotations

_NOUNS = """
apple arm bag ball bank basket bean bear bed bell bench bird boat bone book bottle bowl box
branch bread brick bridge brush bucket bus button cake candle carpet cat chair chalk cheese
cherry clock cloud coat coin corn cow crown cup desk dog door dress drum duck eagle egg engine
farm feather fence field finger fire fish flag floor flower fork fox frog fruit garden gate
glass goat gold grape grass hammer hand hat hill honey horse house ink iron island jacket jar
jelly jug key king kitchen kite knife ladder lake lamp leaf lemon lion lock map market melon
milk mirror moon mouse nail neck nest night nose nut oak ocean onion orange oven owl page paint
paper pear pen pencil piano pig pillow plate pocket pond potato queen rabbit rain ring river
road rock roof rope rose sail salt sand school sheep ship shirt shoe shop silk silver sky snow
soap sock spoon star stone street sugar sun table tail tea tent tiger tomato tooth tower town
train tree truck umbrella valley vase violin wagon wall watch water wheel window wing winter
wolf wood yard zebra
"""

_PAIRS = """
hot/cold big/little tall/low fast/slow new/old hard/soft wet/dry full/empty open/closed
light/dark happy/sad rich/poor strong/weak clean/dirty early/late loud/quiet thick/thin
wide/narrow deep/shallow sweet/bitter sharp/blunt smooth/rough near/far inside/outside push/pull
stop/go buy/sell win/lose love/hate laugh/cry remember/forget north/south east/west brave/afraid
cheap/costly kind/cruel awake/asleep alive/dead sink/float rise/fall lend/borrow build/destroy
accept/refuse ugly/pretty lazy/busy safe/dangerous arrive/depart
"""

_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty
"""

_FRAME = """
a about after all also am an and answer answers are as ask asked asking at be because before
begin begins but by can capital capitals certain certainly come comes compared correct count
counted counting course definitely do does don't each end ends equal equals finally find first
follow for from gave give given gives glad good great greater guess has have hello help helps
here hope i idea if is it it's its know large larger largest last least less let letter letters
list listed lists make makes may maybe me mean means more most my no not number numbers of on
one opposite or order ordered other others perhaps please plus position probably question repeat
reverse right same say says see shows sit small smaller smallest so sort sorted spelled starts
sum sure surely tell than thank thanks that the them then there these think this those to total
two upper uppercase value very was we what which while with without word words would write
written wrote you your
"""

WORDS = tuple(_NOUNS.split())
"""Nouns that an exercise may copy, spell, list or count."""

OPPOSITES = tuple((pair.split("/")[0], pair.split("/")[1]) for pair in _PAIRS.split())
"""Pairs of words that mean the reverse of each other; no word is in two pairs."""

NUMBER_WORDS = {word: str(number) for number, word in enumerate(_NUMBERS.split())}
"""Numbers that an answer may spell out, as digits."""

CONTENT = frozenset(WORDS) | {word for pair in OPPOSITES for word in pair}
"""Words that stand for themselves: an answer about other ones is about another question."""

FRAME = frozenset(_FRAME.split())
"""Words of ordinary answers. A word outside FRAME, CONTENT and the question is unknown."""
