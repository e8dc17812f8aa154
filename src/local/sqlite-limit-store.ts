import type { DatabaseSync } from 'node:sqlite';
import type { LimitStore } from '../router/ports.ts';
import { takeTokens } from '../router/tokens.ts';

/**
 * Keeps limits in the embedded store. Slots that are there when it is made are let go: nobody else runs anything of this
 * store, so what had them ended with the process before.
 */
export function createSqliteLimitStore(db: DatabaseSync): LimitStore {
  const selectTokens = db.prepare('SELECT next_us FROM limit_tokens WHERE name = ?');
  const storeTokens = db.prepare('INSERT OR REPLACE INTO limit_tokens (name, next_us) VALUES (?, ?)');
  const selectHeld = db.prepare('SELECT slot FROM limit_slot WHERE part = ? AND held_until > ?');
  const take = db.prepare(
    `INSERT INTO limit_slot (part, slot, holder, held_until) VALUES ($part, $slot, $holder, $until)
     ON CONFLICT DO UPDATE SET holder = $holder, held_until = $until WHERE held_until <= $now OR holder = $holder`,
  );
  const free = db.prepare('DELETE FROM limit_slot WHERE part = $part AND slot = $slot AND holder = $holder');
  const extend = db.prepare(
    'UPDATE limit_slot SET held_until = $until WHERE part = $part AND slot = $slot AND holder = $holder',
  );
  db.exec('DELETE FROM limit_slot');

  return {
    async takeTokens(limit, ask) {
      const row = selectTokens.get(limit);
      const answer = takeTokens(row && Number(row.next_us), ask);
      if (answer.kind === 'taken') storeTokens.run(limit, answer.nextUs);
      return answer;
    },
    async heldSlots(part, now) {
      return new Set(selectHeld.all(part, now).map(({ slot }) => Number(slot)));
    },
    async takeSlot({ part, slot, holder }, { now, until }) {
      return take.run({ part, slot, holder, now, until }).changes === 1;
    },
    async extendSlot({ part, slot, holder }, until) {
      extend.run({ part, slot, holder, until });
    },
    async freeSlot({ part, slot, holder }) {
      free.run({ part, slot, holder });
    },
  };
}
