import { readTrace, Replayer, Tally, renderDifference, classCounts } from '@vfiokit/replay';
import { readdirSync, statSync } from 'node:fs';
const keep = Number(process.env.KEEP ?? 3);
let all = new Tally(keep*100);
const files=[];
for (const a of process.argv.slice(2)) { if (statSync(a).isDirectory()) for (const f of readdirSync(a,{recursive:true})) { if (f.endsWith('.jsonl.gz')) files.push(a+'/'+f);} else files.push(a); }
for (const f of files.sort()) {
  const t0=Date.now();
  const tally = new Tally(keep);
  try {
    const trace = await readTrace(f);
    new Replayer(trace, tally).run();
  } catch (e) { console.log(f, 'FAILED', e.stack?.split('\n').slice(0,4).join('\n')); continue; }
  let m=0,d=0,x=0; const by={};
  for (const [k,c] of [...classCounts(tally)].map?.((z)=>z) ?? []) {}
  const cls = ['x'];
  let s='';
  for (const n of (await import('@vfiokit/replay')).constructor===undefined?[]:Object.keys((await import('@vfiokit/replay')).OPERATION_CLASSES)) { const c=tally.count(n); m+=c.matched; d+=c.differing; x+=c.explained; if(c.differing) s+=` ${n}:${c.differing}`; }
  console.log(f.replace('/work/shared/traces/',''), m, 'ok', d, 'differ', x, 'explained', (Date.now()-t0)+'ms', s);
  if (keep) for (const df of tally.differences.slice(0,keep)) console.log(renderDifference(df));
  all.add(tally);
}
