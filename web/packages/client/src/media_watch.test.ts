import { describe, expect, it } from 'vitest';
import { LOOK_INTERVAL_MS, LOOKS_OF_FLOW, LOOKS_OF_SILENCE, MediaWatch } from './media_watch';
import { VirtualClock } from './testing/virtual_clock';

function setUp() {
  const clock = new VirtualClock();
  const said: string[] = [];
  const world = { newest: 0, asked: 0 };
  const receiver = (times: () => number[]) =>
    ({
      getSynchronizationSources: () => {
        world.asked++;
        return times().map((timestamp) => ({ timestamp }));
      },
    }) as unknown as RTCRtpReceiver;
  const watch = new MediaWatch(clock, {
    mediaFellSilent: () => said.push('silent'),
    mediaFlows: () => said.at(-1) !== 'flows' && said.push('flows'),
  });
  watch.start([{} as RTCRtpReceiver, receiver(() => []), receiver(() => (world.newest === 0 ? [] : [1, world.newest]))]);
  const flow = async (looks: number, spacing = 1) => {
    for (let n = 0; n < looks; n++) {
      if (n % spacing === 0) world.newest++;
      await clock.advance(LOOK_INTERVAL_MS);
    }
  };
  return { clock, said, world, watch, flow };
}

describe('MediaWatch', () => {
  it('tells once that a flow has ended, and when it goes on', async () => {
    const { clock, said, watch, flow } = setUp();
    await flow(LOOKS_OF_FLOW);
    await clock.advance(60_000);
    expect(said).toEqual(['flows', 'silent']);
    expect(watch.fellSilent).toBe(true);
    await flow(LOOKS_OF_FLOW);
    expect(said).toEqual(['flows', 'silent', 'flows']);
    expect(watch.fellSilent).toBe(false);
  });

  it('says nothing where nothing ever came, or hardly anything', async () => {
    const { clock, said, watch, flow } = setUp();
    await clock.advance(10_000);
    await flow(LOOKS_OF_FLOW - 1);
    await clock.advance(10_000);
    expect(said).toEqual(['flows']);
    expect(watch.fellSilent).toBe(false);
  });

  it('takes a voice with pauses between its packets for a flow', async () => {
    const { said, flow } = setUp();
    await flow(40, LOOKS_OF_SILENCE - 1);
    expect(said).toEqual(['flows']);
  });

  it('does not take the sleep of the machine for silence', async () => {
    const { clock, said, flow } = setUp();
    await flow(LOOKS_OF_FLOW);
    await clock.sleep(40_000);
    await flow(LOOKS_OF_FLOW);
    expect(said).toEqual(['flows']);
  });

  it('can look before its time', () => {
    const { said, world, watch } = setUp();
    world.newest = 1;
    watch.look();
    expect(said).toEqual(['flows']);
  });

  it('asks the receiver that was lively last, and all others only when it has nothing new', async () => {
    const { clock, world, flow } = setUp();
    await flow(1);
    world.asked = 0;
    await flow(1);
    expect(world.asked).toBe(2);
    world.asked = 0;
    await clock.advance(LOOK_INTERVAL_MS);
    expect(world.asked).toBe(3);
  });
});
