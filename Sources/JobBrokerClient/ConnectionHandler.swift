import JobProtocol
import NIOCore

/// One connection: cuts what arrives into frames, decodes them and hands them to the session; writes what it is
/// given.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let session: Session
  private var frames = FrameReader()
  private var context: ChannelHandlerContext?

  init(session: Session) {
    self.session = session
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  func channelActive(context: ChannelHandlerContext) {
    session.connected(self)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    frames.append(&bytes)
    do {
      while let frame = try frames.next() {
        // A frame may have ended the connection; the rest is nobody's.
        guard session.isCurrent(self) else { return }
        receive(frame)
      }
    } catch {
      session.violated(by: self, error.message)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    session.lost(self, "The broker closed the connection.")
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    session.lost(self, "The connection to the broker failed (\(error)).")
    context.close(promise: nil)
  }

  func write(_ bytes: ByteBuffer) {
    context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }

  func close() {
    context?.close(promise: nil)
  }

  private func receive(_ frame: ByteBuffer) {
    let decoded = frame.withUnsafeReadableBytes { bytes -> Result<Response, DecodingFailure> in
      do throws(DecodingFailure) {
        return .success(try session.codec.decodeResponse(bytes))
      } catch {
        return .failure(error)
      }
    }
    switch decoded {
    case .success(let response):
      session.receive(response, from: self)
    case .failure(let failure) where failure.isFatal || failure.id == 0:
      session.violated(by: self, failure.error.message)
    case .failure(let failure):
      // The broker's fault, or a reply of a later version: not the caller's invalid argument.
      let error = JobError(
        failure.error.code == .unsupported ? .unsupported : .internal,
        "The broker's reply can't be read: \(failure.error.message)")
      session.receive(Response(id: failure.id, reply: .error(error)), from: self)
    }
  }
}
