/** What plugs into packages without needing their declarations: an app that has none of them. */
import { SharedMap, codecs } from "bun-shm";
import { type RateLimitHits, RateLimitStore } from "bun-shm/express-rate-limit";
import { KeyvSharedMap } from "bun-shm/keyv";

const [name] = process.argv.slice(2) as [string];
using texts = SharedMap.create(`${name}-texts`, { size: 2 ** 16, codec: codecs.utf8 });
using counts = SharedMap.create(`${name}-counts`, { size: 2 ** 16, codec: codecs.number });
const keyv = new KeyvSharedMap(texts);
await keyv.set("key", "text", 60_000);
const limits = new RateLimitStore({ map: counts });
limits.init({ windowMs: 60_000 });
const hits: RateLimitHits = await limits.increment("client");
console.log(await keyv.get("key"), hits.totalHits);
texts.unlink();
counts.unlink();
