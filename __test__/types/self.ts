// The helpers themselves: a test that accepts everything would be worth nothing.
import { expectTrue, expectType, type Same } from "./expect.js";

expectType<string>()("x" as string);
// @ts-expect-error: assignable is not the same
expectType<string | number>()("x" as string);
// @ts-expect-error: `any` is not a string
expectType<string>()("x" as any);
// @ts-expect-error: a string is not `any`
expectType<any>()("x" as string);
// @ts-expect-error: not the same
expectTrue<Same<{ a: 1 }, { a?: 1 }>>();
