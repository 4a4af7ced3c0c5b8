import JobModel
import JobProtocol
import JobStore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import TestSupport
import Testing

@testable import BrokerServer

/// Requests whose connections have ended before the store could run them.
@Suite(.timeLimit(.minutes(5))) struct LeftBehindTests {
  @Test func areHeldUntilTheirCommandsHaveBeenRun() {
    var left = LeftBehind()
    left.add(10, end: 3)
    left.add(5, end: 3)
    left.add(1, end: 7)
    #expect(left.remove(upTo: 2) == 0)
    #expect(left.remove(upTo: 3) == 15)
    #expect(left.size == 1)
    #expect(left.remove(upTo: 9) == 1)
  }

  @Test func areNotHeldAnyMoreWhenTheirCommandsAreRefused() {
    var left = LeftBehind()
    left.add(10, end: 3)
    left.add(5, end: 4)
    left.add(1, end: 7)
    #expect(left.remove(after: 3) == 6)
    #expect(left.size == 10 && !left.isAny(after: 3))
  }

  /// While the store stands still whoever comes and goes makes the broker hold only so much.
  @Test func areRefusedWhenTooMuchIsHeldAndNoOthersAre() async throws {
    let store = HeldStore(isRemote: true, holdsSyncs: false)
    try await withBroker(store) { socket in
      async let first = ask(socket, [.create([NewJob(type: "t")])])
      #expect(await store.next() == 1)
      async let patient = ask(socket, [.create([NewJob(type: "t")])])
      // They count 1 MB each, and are far less.
      let jobs = (0..<1_000).map { _ in NewJob(type: "left") }
      let creates = Array(repeating: Operation.create(jobs), count: 15)
      let visits = 20
      for _ in 0..<visits { #expect(try await ask(socket, creates + [.ping]) == .pong) }
      while case .stats(let stats) = try await ask(socket, [.stats]), stats.connections > 3 {}
      async let last = ask(socket, [.create([NewJob(type: "last")])])
      try store.answer()
      #expect(try await first == .done)
      var left = 0
      var isOver = false
      while !isOver {
        for case .create(let jobs) in await store.nextCommands() {
          if jobs[0].type == "left" { left += 1 }
          if jobs[0].type == "last" { isOver = true }
        }
        try store.answer()
      }
      #expect(left > 0 && left < ServerConfiguration.maxHeld / 1_000_000 && left < visits * creates.count)
      #expect(try await patient == .done)
      #expect(try await last == .done)
    }
  }

  private func withBroker(_ store: any JobStore, _ body: (_ socket: String) async throws -> Void) async throws
  {
    let directory = TemporaryDirectory()
    let socket = directory.file("broker.sock")
    let (readiness, ready) = AsyncStream.makeStream(of: Void.self)
    let service = BrokerService(
      store: store, loop: BrokerLoop(), socket: try SocketBinder.bind(path: socket),
      notifier: ServiceNotifier(environment: [:]), logger: Logger(label: "test")
    ) { ready.yield() }
    let group = ServiceGroup(services: [service], logger: Logger(label: "test"))
    async let ended: Void = group.run()
    for await _ in readiness { break }
    try await body(socket)
    await group.triggerGracefulShutdown()
    try await ended
  }

  /// Connects, asks, and leaves with the answer to the last request.
  private func ask(_ socket: String, _ operations: [JobModel.Operation]) async throws -> Reply? {
    let codec = MessageCodec()
    var frames = ByteBuffer()
    for (id, operation) in ([.hello(Hello(client: "test"))] + operations).enumerated() {
      try codec.encode(Request(id: UInt64(id + 1), operation: operation), into: &frames)
    }
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(unixDomainSocketPath: socket) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    return try await channel.executeThenClose { [frames] inbound, outbound in
      try await outbound.write(frames)
      var reader = FrameReader()
      for try await var bytes in inbound {
        reader.append(&bytes)
        while let frame = try reader.next() {
          let response = try frame.withUnsafeReadableBytes { try codec.decodeResponse($0) }
          if response.id == operations.count + 1 { return response.reply }
        }
      }
      return nil
    }
  }
}
