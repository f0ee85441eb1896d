// Loaded into a process of a test: on SIGUSR2 its event loop does not turn any more.
process.on('SIGUSR2', () => {
  for (;;);
});
