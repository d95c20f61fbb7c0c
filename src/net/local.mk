noinst_LIBRARIES += %D%/libnet.a
%C%_libnet_a_SOURCES = \
	%D%/cert.c \
	%D%/cert.h \
	%D%/certfile.c \
	%D%/certfile.h \
	%D%/context.c \
	%D%/context.h \
	%D%/cookie.c \
	%D%/cookie.h \
	%D%/dtls.c \
	%D%/dtls.h \
	%D%/hello.c \
	%D%/hello.h \
	%D%/http.c \
	%D%/http.h \
	%D%/icmp.c \
	%D%/icmp.h \
	%D%/loop.c \
	%D%/loop.h \
	%D%/preface.c \
	%D%/preface.h \
	%D%/proxyproto.c \
	%D%/proxyproto.h \
	%D%/sni.c \
	%D%/sni.h \
	%D%/sock.c \
	%D%/sock.h \
	%D%/stream.c \
	%D%/stream.h \
	%D%/tickets.c \
	%D%/tickets.h \
	%D%/tls.c \
	%D%/tls.h \
	%D%/udp.h \
	%D%/udp_rx.c \
	%D%/udp_tx.c
