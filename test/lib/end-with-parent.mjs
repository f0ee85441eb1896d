// Ends a process when its parent has ended, also by SIGKILL: it then has another parent.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, 500).unref();
