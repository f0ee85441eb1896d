// Ends a process when its parent has ended, also by SIGKILL: the parent's id changes then.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, 500).unref();
