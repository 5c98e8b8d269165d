export * from './fake_peer';
export * from './fake_server';
export * from './virtual_clock';
export * from './world';
