// Runs long test files first, so that none runs alone at the end. jest itself knows durations only from an earlier
// run.
import Sequencer from '@jest/test-sequencer';

const LONG = [
  'server',
  'bytes-under-way',
  'attacks/attacks',
  'e2e/faults',
  'deployment/compose',
  'e2e/golden',
  'e2e/liveness',
  'e2e/worker-memory',
  'e2e/program-output',
];

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const long = LONG.flatMap((name) => sorted.filter(({ path }) => path.includes(`/test/${name}.`)));
    return [...long, ...sorted.filter((test) => !long.includes(test))];
  }
}
