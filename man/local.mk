dist_man_MANS += %D%/taciturn.8 %D%/taciturn.conf.5 %D%/taciturnctl.1 %D%/taciturn-metrics.7
