import Glibc
import JobModel
import NIOCore
import NIOPosix

/// Lets the loop look at its sockets before something goes on.
///
/// A loop runs tasks until there are none, and only then looks what has arrived. A chain of long ones, such as the parts
/// of a sweep, would keep every client waiting to its end; and a transaction would go without the commands that have
/// arrived since the turn began. So what is to go on is begun by a byte through a pipe, which arrives together with
/// whatever else has.
///
/// Bound to its event loop.
final class SocketTurn: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private var actions: [() -> Void] = []
  private let writeEnd: CInt

  private init(writeEnd: CInt) { self.writeEnd = writeEnd }

  deinit { close(writeEnd) }

  /// Opens the pipe, which is closed with the loop.
  ///
  /// - Throws: INTERNAL when there are no descriptors for it.
  static func open(on eventLoop: any EventLoop) async throws -> NIOLoopBound<SocketTurn> {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw JobError(.internal, "There is no pipe to be had: errno \(errno).")
    }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    let (readEnd, writeEnd) = (ends[0], ends[1])
    let turn = try await eventLoop.submit {
      NIOLoopBound(SocketTurn(writeEnd: writeEnd), eventLoop: eventLoop)
    }.get()
    _ = try await NIOPipeBootstrap(group: eventLoop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(turn.value) }
      }
      .takingOwnershipOfDescriptor(input: readEnd).get()
    return turn
  }

  /// Runs an action after the sockets had their turn.
  func callAsFunction(_ action: @escaping () -> Void) {
    actions.append(action)
    // One byte is enough for all that waits; a pipe that is full will be read.
    if actions.count == 1 { _ = write(writeEnd, [1], 1) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let due = actions
    actions = []
    // The loop may not have come to the other sockets yet; this it runs when it has.
    context.eventLoop.assumeIsolated().execute { for action in due { action() } }
  }
}
