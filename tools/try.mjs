// Runs a slow program and prints its output as it grows: node tools/try.mjs http://127.0.0.1:8000

const base = process.argv[2] ?? 'http://127.0.0.1:8000';

const program = `with Ada.Text_IO; use Ada.Text_IO;
procedure Main is
begin
   for Line in 1 .. 8 loop
      Put_Line ("line" & Line'Image);
      delay 0.5;
   end loop;
end Main;
`;

async function post(path, body) {
  const answer = await fetch(new URL(path, base), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

const { identifier } = await post('/run_program/', {
  files: [{ basename: 'main.adb', contents: program }],
  mode: 'run',
  main: 'main.adb',
  name: 'Try',
  lab: false,
});

const begin = Date.now();
let read = 0;
for (;;) {
  const { output, completed, status } = await post('/check_output/', { identifier, read });
  for (const { msg } of output) {
    const seconds = ((Date.now() - begin) / 1000).toFixed(1);
    console.log(`${seconds} s  ${msg.type.padEnd(7)}  ${String(msg.data).trimEnd()}`);
  }
  read += output.length;
  if (completed) {
    process.exitCode = status;
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 250));
}
