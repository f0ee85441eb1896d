// Loaded into each process of the fleet: SIGUSR2 moves its wall clock by an hour, and back the next time. The
// monotonic clock does not jump.
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
