# tests/unit/<folder>_<file>.c tests src/<folder>/<file>.c: a cmocka program with its own main().
unit_programs = \
	%D%/admin_route \
	%D%/auth_check \
	%D%/auth_longterm \
	%D%/auth_nonce \
	%D%/auth_realm \
	%D%/auth_rest \
	%D%/auth_throttle \
	%D%/auth_token \
	%D%/base_addr \
	%D%/base_bucket \
	%D%/base_crypto \
	%D%/base_histogram \
	%D%/base_hmap \
	%D%/base_mbox \
	%D%/base_prefix \
	%D%/base_rd \
	%D%/base_rng \
	%D%/base_slab \
	%D%/base_thread \
	%D%/base_wheel \
	%D%/base_wr \
	%D%/conf_argv \
	%D%/conf_check \
	%D%/conf_cpus \
	%D%/conf_hosts \
	%D%/conf_live \
	%D%/conf_opaque \
	%D%/conf_origin \
	%D%/conf_period \
	%D%/conf_parse \
	%D%/conf_table \
	%D%/conf_users \
	%D%/conf_value \
	%D%/log_format \
	%D%/log_log \
	%D%/net_cert \
	%D%/net_cert_resume \
	%D%/net_cert_shake \
	%D%/net_dtls \
	%D%/net_hello \
	%D%/net_http \
	%D%/net_icmp \
	%D%/net_loop \
	%D%/net_preface \
	%D%/net_proxyproto \
	%D%/net_sni \
	%D%/net_sock \
	%D%/net_stream \
	%D%/net_stream_tls \
	%D%/net_tickets \
	%D%/net_udp \
	%D%/net_udp_fan \
	%D%/relay_crowd \
	%D%/relay_forward \
	%D%/relay_forward_drop \
	%D%/relay_hops \
	%D%/relay_park \
	%D%/relay_port \
	%D%/relay_peruser \
	%D%/relay_quality \
	%D%/relay_quota \
	%D%/relay_realms \
	%D%/relay_share \
	%D%/relay_table \
	%D%/store_sql_schema \
	%D%/store_batch \
	%D%/store_cache \
	%D%/store_delivery \
	%D%/store_lease \
	%D%/store_limits \
	%D%/store_memory \
	%D%/store_quota \
	%D%/store_spool \
	%D%/store_store \
	%D%/store_usage \
	%D%/store_withdraw \
	%D%/stun_address \
	%D%/stun_chan \
	%D%/stun_classic \
	%D%/stun_decode \
	%D%/stun_decode_damage \
	%D%/stun_decode_order \
	%D%/stun_encode \
	%D%/stun_error \
	%D%/stun_frame \
	%D%/stun_integrity \
	%D%/stun_print \
	%D%/turn_alloc \
	%D%/turn_alloc_refresh \
	%D%/turn_binding \
	%D%/turn_chan \
	%D%/turn_oom \
	%D%/turn_perm \
	%D%/turn_policy \
	%D%/turn_redirect \
	%D%/turn_reply \
	%D%/turn_route \
	%D%/turn_server \
	%D%/turn_session \
	%D%/turn_sim \
	%D%/turn_tcp \
	%D%/worker_board \
	%D%/worker_bridge \
	%D%/worker_pool \
	%D%/worker_renew \
	%D%/worker_trim

# The world that the tests of auth and turn live in.
check_LIBRARIES += %D%/libworld.a
%C%_libworld_a_SOURCES = %D%/turn_world.c %D%/turn_world.h

# The simulation, and what it is compared with.
%C%_turn_sim_SOURCES = \
	%D%/turn_draw.c \
	%D%/turn_draw.h \
	%D%/turn_model.c \
	%D%/turn_model.h \
	%D%/turn_sim.c

# mmap() is mmap64() where the flags of some library ask for large files
wrap_mmap = -Wl,--wrap=mmap,--wrap=mmap64,--defsym=__wrap_mmap64=__wrap_mmap

# It makes each allocation fail in turn, and each HMAC.
%C%_turn_oom_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=crypto_hmac $(wrap_mmap)

# They make allocations fail.
%C%_net_cert_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strndup
%C%_net_stream_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc
%C%_relay_crowd_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc

# It makes the thread's loop fail.
%C%_store_store_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=net_loop_turn

# It counts what the packet path asks of the heap.
%C%_relay_forward_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc $(wrap_mmap)

EXTRA_DIST += %D%/store_fake.h %D%/conf_said.h %D%/net_pki.h %D%/net_shake.h %D%/net_stream_world.h %D%/own_net.h %D%/relay_client.h %D%/relay_guest.h %D%/relay_world.h %D%/token_seal.h

if HAVE_CMOCKA
check_PROGRAMS += $(unit_programs)
if STORE_REDIS
check_PROGRAMS += %D%/store_redis_args %D%/store_redis_conninfo
endif
endif
