// Loaded into each process of the fleet: on SIGUSR2 its clock is an hour later, or what it was again.
// The clock by which it measures spans of time is another one, which does not jump.
const HOUR_MS = 3_600_000;
const now = Date.now.bind(Date);
let aheadMs = 0;

globalThis.Date = class extends Date {
  constructor(...args) {
    if (args.length === 0) super(now() + aheadMs);
    else super(...args);
  }

  static now() {
    return now() + aheadMs;
  }
};
process.on('SIGUSR2', () => {
  aheadMs = aheadMs === 0 ? HOUR_MS : 0;
});
