/** Whether two types are the same, not merely assignable to each other. */
export type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `expectType<Expected>()(value)` compiles only when `value` is of exactly that type. */
export declare function expectType<Expected>(): <Actual>(
  value: Actual,
  ...mismatch: Same<Actual, Expected> extends true ? [] : [{ expected: Expected; actual: Actual }]
) => void;

/** `expectTrue<Condition>()` compiles only when the condition holds. */
export declare function expectTrue<_Condition extends true>(): void;
